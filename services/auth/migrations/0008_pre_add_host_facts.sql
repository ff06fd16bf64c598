-- What else an agent knows of its host: fields of flick.v1.Host by their names. They are shown and never written alone,
-- so that a new one needs no migration.
alter table auth.servers add column host_facts jsonb not null default '{}' check (jsonb_typeof(host_facts) = 'object');

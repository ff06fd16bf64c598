-- Settings that are null are inherited: a server's from its group, a group's from the organization. What nobody set has the default
-- that flick.v1.ServerSettings tells.
alter table auth.server_settings
    alter column metric_interval_s drop not null,
    alter column retention_days drop not null,
    alter column processes_enabled drop not null,
    alter column process_commands_enabled drop not null;

create table auth.server_group_settings (
    server_group_id uuid primary key references auth.server_groups on delete cascade,
    metric_interval_s integer check (metric_interval_s between 1 and 300),
    retention_days integer check (retention_days between 1 and 3650),
    processes_enabled boolean,
    process_commands_enabled boolean
);

create table auth.organization_settings (
    organization_id uuid primary key references auth.organizations on delete cascade,
    metric_interval_s integer check (metric_interval_s between 1 and 300),
    retention_days integer check (retention_days between 1 and 3650),
    processes_enabled boolean,
    process_commands_enabled boolean
);

-- What is in effect for each server; null where the default is.
create view auth.effective_settings as
select
    servers.server_id,
    servers.organization_id,
    coalesce(own.metric_interval_s, of_group.metric_interval_s, of_all.metric_interval_s) as metric_interval_s,
    coalesce(own.retention_days, of_group.retention_days, of_all.retention_days) as retention_days,
    coalesce(own.processes_enabled, of_group.processes_enabled, of_all.processes_enabled) as processes_enabled,
    coalesce(own.process_commands_enabled, of_group.process_commands_enabled, of_all.process_commands_enabled)
        as process_commands_enabled
from auth.servers
left join auth.server_settings as own on own.server_id = servers.server_id
left join auth.server_group_settings as of_group on of_group.server_group_id = servers.server_group_id
left join auth.organization_settings as of_all on of_all.organization_id = servers.organization_id
where servers.delete_time is null;

-- A change of inherited settings is a change of each server that may inherit them. The counter is locked before the servers are
-- looked up: whoever commits a server's move into the group or organization has either done so, and is seen, or comes later.
create function auth.note_settings_change() returns trigger
    language plpgsql security definer set search_path = ''
as $$
declare
    changed jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
    last_revision bigint;
    affected uuid[];
begin
    perform revision from auth.access_revision for update;
    select coalesce(array_agg(server_id order by server_id), '{}') into affected
    from auth.servers
    where delete_time is null and (
        organization_id = (changed ->> 'organization_id')::uuid or server_group_id = (changed ->> 'server_group_id')::uuid
    );
    if affected = '{}' then
        return null;
    end if;
    update auth.access_revision set revision = revision + cardinality(affected) returning revision into last_revision;
    insert into auth.access_changes (revision, server_id)
    select last_revision - cardinality(affected) + place, server_id
    from unnest(affected) with ordinality as listed (server_id, place);
    perform pg_notify('auth_access', '');
    return null;
end
$$;
revoke all on function auth.note_settings_change() from public;

-- Deferred for the same reason as in 0003.
create constraint trigger note_new after insert or delete on auth.server_group_settings
    deferrable initially deferred for each row execute function auth.note_settings_change();
create constraint trigger note_change after update on auth.server_group_settings
    deferrable initially deferred for each row
    when (old is distinct from new) execute function auth.note_settings_change();
create constraint trigger note_new after insert or delete on auth.organization_settings
    deferrable initially deferred for each row execute function auth.note_settings_change();
create constraint trigger note_change after update on auth.organization_settings
    deferrable initially deferred for each row
    when (old is distinct from new) execute function auth.note_settings_change();
create constraint trigger note_new after insert on auth.server_settings
    deferrable initially deferred for each row
    when (
        coalesce(new.metric_interval_s, new.retention_days) is not null
        or coalesce(new.processes_enabled, new.process_commands_enabled) is not null
    )
    execute function auth.note_access_change();
create constraint trigger note_group after update on auth.servers
    deferrable initially deferred for each row
    when (old.server_group_id is distinct from new.server_group_id) execute function auth.note_access_change();

grant select, insert, update on auth.server_group_settings, auth.organization_settings to flick_auth;
grant select on auth.effective_settings to flick_auth;

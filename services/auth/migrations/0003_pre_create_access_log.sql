-- Every change of access gets the next revision and is told to whoever listens, whatever statement made it.
create table auth.access_revision (
    only_row boolean primary key default true check (only_row),
    revision bigint not null
);
insert into auth.access_revision (revision) values (0);

-- What has changed, by its identifying fields. How it is now stands in the tables themselves.
create table auth.access_changes (
    revision bigint primary key,
    change_time timestamptz not null default now(),
    user_id uuid,
    organization_id uuid,
    server_id uuid,
    key_id uuid
);
create index access_changes_by_time on auth.access_changes (change_time);

-- Runs as the owner, so that the service can neither forge nor withhold a change. The counter's row is locked from
-- here to the commit: revisions become visible in their order.
create function auth.note_access_change() returns trigger
    language plpgsql security definer set search_path = ''
as $$
declare
    changed jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
    next_revision bigint;
begin
    update auth.access_revision set revision = revision + 1 returning revision into next_revision;
    insert into auth.access_changes (revision, user_id, organization_id, server_id, key_id)
    values (
        next_revision,
        (changed ->> 'user_id')::uuid,
        (changed ->> 'organization_id')::uuid,
        (changed ->> 'server_id')::uuid,
        (changed ->> 'key_id')::uuid
    );
    perform pg_notify('auth_access', '');
    return null;
end
$$;
revoke all on function auth.note_access_change() from public;

-- Deferred to the commit, so that the counter's lock is always the last one taken and can be part of no deadlock.
create constraint trigger note_change after insert or update or delete on auth.memberships
    deferrable initially deferred for each row execute function auth.note_access_change();
create constraint trigger note_new after insert on auth.servers
    deferrable initially deferred for each row execute function auth.note_access_change();
create constraint trigger note_change after update on auth.servers
    deferrable initially deferred for each row
    when (old.delete_time is distinct from new.delete_time or old.organization_id <> new.organization_id)
    execute function auth.note_access_change();
create constraint trigger note_change after update on auth.server_settings
    deferrable initially deferred for each row
    when (old is distinct from new) execute function auth.note_access_change();
create constraint trigger note_change after insert or update or delete on auth.agent_keys
    deferrable initially deferred for each row execute function auth.note_access_change();

grant select on auth.access_revision to flick_auth;
grant select, delete on auth.access_changes to flick_auth;

-- Which version of the schemas this is: the newest migration of each. The tables of migrations belong to the owner alone, so
-- that a service which may be told this may read and change nothing of them.
create function telemetry.newest_migrations()
returns table (schema_name text, number integer, name text, apply_time timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    for schema_name in
        select space.nspname
        from pg_class as migrations
        join pg_namespace as space on space.oid = migrations.relnamespace
        where migrations.relname = 'migrations' and migrations.relkind = 'r' and space.nspname in ('auth', 'telemetry')
        order by space.nspname
    loop
        return query execute format(
            'select %L::text, newest.number, newest.name, newest.apply_time from %I.migrations as newest'
            ' order by newest.number desc limit 1',
            schema_name, schema_name
        );
    end loop;
end
$$;

revoke execute on function telemetry.newest_migrations from public;
grant execute on function telemetry.newest_migrations to flick_query;

-- Past hours as blocks of columns, which ingest's sealer makes of the rows of `metrics` and `processes`: all of a server's
-- samples of an hour that have the same layout are one block, those that come later one more. A moment of a server is in
-- one block at most; its row stays until its whole chunk is in blocks. Blocks are never changed. flick/columns.py and
-- flick/blobs.py tell what is in them.
create table telemetry.sealed_metrics (
    server_id uuid not null,
    organization_id uuid not null,
    -- Which hour the samples are of; first and last of them, and how many.
    hour timestamptz not null,
    first_time timestamptz not null,
    last_time timestamptz not null,
    count integer not null check (count > 0),
    -- 0: the samples have no labelled values.
    layout_id integer not null,
    -- When the block was written.
    sealed_at timestamptz not null default clock_timestamp(),
    -- Columns of samples in the order of time: microseconds since the Unix epoch (q), and how many later each was received (q).
    times bytea not null,
    lags bytea not null,
    -- The scalar metrics in the order of their numbers (d), the labelled values in that of the layout (f); NaN: not measured.
    core bytea not null,
    labelled bytea,
    check ((layout_id = 0) = (labelled is null)),
    check (hour <= first_time and first_time <= last_time and last_time < hour + interval '1 hour')
);

-- The snapshots of processes of a server's samples of an hour, likewise.
create table telemetry.sealed_processes (
    server_id uuid not null,
    organization_id uuid not null,
    hour timestamptz not null,
    first_time timestamptz not null,
    last_time timestamptz not null,
    count integer not null check (count > 0),
    sealed_at timestamptz not null default clock_timestamp(),
    -- As above, and a serialized flick.v1.ProcessSnapshot of each moment (blobs).
    times bytea not null,
    snapshots bytea not null,
    check (hour <= first_time and first_time <= last_time and last_time < hour + interval '1 hour')
);

select create_hypertable('telemetry.sealed_metrics', by_range('hour', interval '1 day'), create_default_indexes => false);
select create_hypertable('telemetry.sealed_processes', by_range('hour', interval '1 day'), create_default_indexes => false);
create unique index sealed_metrics_key on telemetry.sealed_metrics (server_id, hour, first_time);
create unique index sealed_processes_key on telemetry.sealed_processes (server_id, hour, first_time);

-- They are compressed already. Stored so, a part of one can be read without the rest.
alter table telemetry.sealed_metrics
    alter column times set storage external, alter column lags set storage external,
    alter column core set storage external, alter column labelled set storage external;
alter table telemetry.sealed_processes
    alter column times set storage external, alter column snapshots set storage external;

-- Rows stay for about an hour: what is sealed goes with its chunk.
select set_chunk_time_interval('telemetry.metrics', interval '1 hour');
select set_chunk_time_interval('telemetry.processes', interval '1 hour');

-- One of the two ways by which ingest may take rows away: those of moments that blocks hold already, which came again.
create function telemetry.remove_copies(
    of_server uuid, of_hour timestamptz, moments timestamptz[], out samples bigint, out snapshots bigint
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- finds the chunk while planning, by the hour itself
as $$
begin
    if not exists (select from telemetry.sealed_metrics where server_id = of_server and hour = of_hour)
        and not exists (select from telemetry.sealed_processes where server_id = of_server and hour = of_hour) then
        raise exception 'nothing of that hour is sealed';
    end if;
    delete from telemetry.metrics
    where server_id = of_server and time = any(moments) and time >= of_hour and time < of_hour + interval '1 hour';
    get diagnostics samples = row_count;
    delete from telemetry.processes
    where server_id = of_server and time = any(moments) and time >= of_hour and time < of_hour + interval '1 hour';
    get diagnostics snapshots = row_count;
end
$$;

-- The other: gives back the chunks of a time and tells whether it did, of both tables or of none. They must have as many
-- rows as are given, which the sealer has found in blocks one by one, and of no server's hour more than blocks hold: rows
-- are never changed, so what came since then shows in the count. Nothing comes while they are counted. It waits for
-- nobody who reads or writes the chunks, but fails as lock_not_available. An insert that waits for one of them
-- fails once; ingest repeats it.
create function telemetry.drop_sealed_chunks(chunk_start timestamptz, samples bigint, snapshots bigint) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
    chunk record;
    found_rows bigint;
    found_more boolean;
begin
    for chunk in
        select format('%I.%I', chunk_schema, chunk_name) as name, hypertable_name as table_name, range_end
        from timescaledb_information.chunks
        where hypertable_schema = 'telemetry' and hypertable_name in ('metrics', 'processes') and range_start = chunk_start
    loop
        execute format('lock table %s in share row exclusive mode nowait', chunk.name);
        execute format(
            'select coalesce(sum(present.count), 0), coalesce(bool_or(present.count > coalesce(sealed.count, 0)), false)'
            ' from (select server_id, date_bin(interval ''1 hour'', time, timestamptz ''epoch'') as hour, count(*) from %s'
            ' group by 1, 2) as present'
            ' left join (select server_id, hour, sum(count) as count from telemetry.%I where hour >= $1 and hour < $2'
            ' group by 1, 2) as sealed using (server_id, hour)',
            chunk.name, 'sealed_' || chunk.table_name
        ) into found_rows, found_more using chunk_start, chunk.range_end;
        if found_more or found_rows <> (case chunk.table_name when 'metrics' then samples else snapshots end) then
            return false;
        end if;
    end loop;
    for chunk in
        select format('%I.%I', chunk_schema, chunk_name) as name, hypertable_name as table_name, range_end
        from timescaledb_information.chunks
        where hypertable_schema = 'telemetry' and hypertable_name in ('metrics', 'processes') and range_start = chunk_start
    loop
        execute format('lock table %s in access exclusive mode nowait', chunk.name);
        perform public.drop_chunks(
            format('telemetry.%I', chunk.table_name)::regclass, older_than => chunk.range_end, newer_than => chunk_start
        );
    end loop;
    return true;
end
$$;

revoke execute on function telemetry.remove_copies, telemetry.drop_sealed_chunks from public;
grant execute on function telemetry.remove_copies, telemetry.drop_sealed_chunks to flick_ingest;
grant select, insert on telemetry.sealed_metrics, telemetry.sealed_processes to flick_ingest;
grant select on telemetry.sealed_metrics, telemetry.sealed_processes to flick_query;

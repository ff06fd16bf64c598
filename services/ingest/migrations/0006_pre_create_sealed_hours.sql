-- Past hours as blocks of columns, to which ingest's sealer moves the rows of `metrics` and `processes`: all of a
-- server's samples of an hour that have the same layout are one block, those that come later one more. A moment of a
-- server is in one block at most. Blocks are never changed. flick/columns.py and flick/blobs.py tell what is in them.
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

-- The only way by which ingest may take rows away: those of a server's span within an hour of which it has written blocks.
-- Called in the transaction that read the rows and wrote the blocks, and that sees one state of everything from its
-- beginning to its end: so exactly those go that were read, and one that comes meanwhile stays.
create function telemetry.remove_sealed(
    of_server uuid, of_hour timestamptz, from_time timestamptz, before_time timestamptz,
    out samples bigint, out snapshots bigint
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- finds the chunk while planning, by the moments themselves
as $$
begin
    if current_setting('transaction_isolation') <> 'repeatable read' then
        raise exception 'remove_sealed wants a transaction that is repeatable read';
    end if;
    if from_time < of_hour or before_time > of_hour + interval '1 hour'
        or not exists (select from telemetry.sealed_metrics where server_id = of_server and hour = of_hour)
        and not exists (select from telemetry.sealed_processes where server_id = of_server and hour = of_hour) then
        raise exception 'nothing of that span is sealed';
    end if;
    delete from telemetry.metrics where server_id = of_server and time >= from_time and time < before_time;
    get diagnostics samples = row_count;
    delete from telemetry.processes where server_id = of_server and time >= from_time and time < before_time;
    get diagnostics snapshots = row_count;
end
$$;

-- Gives back an empty chunk of `metrics` or `processes`; tells whether it did. It waits for nobody who reads or writes the
-- chunk, but fails as lock_not_available. An insert that waits for the chunk meanwhile fails, once: ingest repeats it.
create function telemetry.drop_empty_chunk(of_table text, chunk_start timestamptz) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
    chunk record;
    filled boolean;
begin
    if of_table not in ('metrics', 'processes') then
        raise exception 'no table of samples: %', of_table;
    end if;
    select format('%I.%I', chunk_schema, chunk_name) as name, range_end into chunk
    from timescaledb_information.chunks
    where hypertable_schema = 'telemetry' and hypertable_name = of_table and range_start = chunk_start;
    if not found then
        return false;
    end if;
    execute format('lock table %s in access exclusive mode nowait', chunk.name);
    execute format('select exists (select from %s)', chunk.name) into filled;
    if filled then
        return false;
    end if;
    perform public.drop_chunks(format('telemetry.%I', of_table)::regclass, older_than => chunk.range_end, newer_than => chunk_start);
    return true;
end
$$;

revoke execute on function telemetry.remove_sealed, telemetry.drop_empty_chunk from public;
grant execute on function telemetry.remove_sealed, telemetry.drop_empty_chunk to flick_ingest;
grant select, insert on telemetry.sealed_metrics, telemetry.sealed_processes to flick_ingest;
grant select on telemetry.sealed_metrics, telemetry.sealed_processes to flick_query;

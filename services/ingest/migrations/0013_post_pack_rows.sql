-- A row has its values side by side, as blocks have them: written and sealed so, a sample costs PostgreSQL half as much as with a
-- column for each metric, and a new metric needs no column. Every row is kept, value by value.
alter table telemetry.metrics rename to metrics_in_columns;

create table telemetry.metrics (
    time timestamptz not null,
    received_at timestamptz not null,
    server_id uuid not null,
    organization_id uuid not null,
    layout_id integer,
    -- The scalar metrics in the order of their numbers, up to the last one that was measured: each 8 bytes, big-endian, as
    -- float8send makes them. NaN: not measured.
    core bytea not null,
    -- The values of the layout in its order: each 4 bytes, as float4send makes them.
    labelled bytea,
    check ((layout_id is null) = (labelled is null))
);
select create_hypertable('telemetry.metrics', by_range('time', interval '1 hour'), create_default_indexes => false);
grant select, insert on telemetry.metrics to flick_ingest;
grant select on telemetry.metrics to flick_query;

insert into telemetry.metrics (time, received_at, server_id, organization_id, layout_id, core, labelled)
select
    time, received_at, server_id, organization_id, layout_id,
    coalesce(
        (
            select string_agg(float8send(coalesce(value, 'NaN')), '' order by number)
            from (
                select value, number, max(number) filter (where value is not null) over () as last
                from unnest(array[
                cpu_utilization, cpu_utilization_user, cpu_utilization_system, cpu_utilization_iowait,
                cpu_utilization_steal, cpu_utilization_interrupt, cpu_logical_count, load_1m, load_5m, load_15m,
                memory_limit, memory_available, memory_utilization, memory_used, memory_free, memory_cached,
                memory_buffers, swap_limit, swap_used, swap_utilization, network_receive, network_transmit,
                process_count, process_created, uptime, cpu_frequency, pressure_cpu_some, pressure_memory_some,
                pressure_memory_full, pressure_io_some, pressure_io_full, disk_read, disk_write,
                tcp_retransmissions, udp_receive, udp_transmit, udp_errors, socket_count, context_switches,
                interrupts, threads_runnable, threads_blocked, swap_in, swap_out, page_faults_major, oom_kills,
                files_open, files_limit, session_count
                ]) with ordinality as metric (value, number)
            ) as scalar
            where number <= last
        ),
        ''
    ),
    case
        when labelled is not null then coalesce(
            (
                select string_agg(float4send(coalesce(value, 'NaN')), '' order by number)
                from unnest(labelled) with ordinality as place (value, number)
            ),
            ''
        )
    end
from telemetry.metrics_in_columns;

drop table telemetry.metrics_in_columns;
create unique index metrics_key on telemetry.metrics (server_id, time);

-- What agents measured. One row per sample; the columns of the scalar metrics are named as in the contract's catalogue
-- (flick.v1.Metric, in lower case without METRIC_); a contract test compares the two.
create schema if not exists telemetry;
grant usage on schema telemetry to flick_ingest, flick_query;

-- What stands at which place of `metrics.labelled`. The same series in the same order is the same layout of a server.
create table telemetry.layouts (
    layout_id integer generated always as identity primary key,
    server_id uuid not null,
    organization_id uuid not null,
    -- SHA-256 of `series`.
    digest bytea not null check (length(digest) = 32),
    -- A serialized flick.v1.Layout without its layout_id.
    series bytea not null,
    create_time timestamptz not null default now(),
    unique (server_id, digest)
);

-- A value that was not measured is null, also within `labelled`.
create table telemetry.metrics (
    time timestamptz not null,
    server_id uuid not null,
    organization_id uuid not null,
    received_at timestamptz not null,
    cpu_utilization double precision,
    cpu_utilization_user double precision,
    cpu_utilization_system double precision,
    cpu_utilization_iowait double precision,
    cpu_utilization_steal double precision,
    cpu_utilization_interrupt double precision,
    cpu_logical_count double precision,
    load_1m double precision,
    load_5m double precision,
    load_15m double precision,
    memory_limit double precision,
    memory_available double precision,
    memory_utilization double precision,
    memory_used double precision,
    memory_free double precision,
    memory_cached double precision,
    memory_buffers double precision,
    swap_limit double precision,
    swap_used double precision,
    swap_utilization double precision,
    network_receive double precision,
    network_transmit double precision,
    process_count double precision,
    process_created double precision,
    uptime double precision,
    layout_id integer,
    labelled real[],
    check ((layout_id is null) = (labelled is null))
);
select create_hypertable('telemetry.metrics', by_range('time', interval '1 day'), create_default_indexes => false);
-- The key of a sample, and how it is read: one server, a span of time.
create unique index metrics_key on telemetry.metrics (server_id, time);

grant select, insert on telemetry.layouts, telemetry.metrics to flick_ingest;
grant select on telemetry.layouts, telemetry.metrics to flick_query;

-- Which processes were the busiest: the snapshot of a sample, packed as on the wire.
create table telemetry.processes (
    time timestamptz not null,
    server_id uuid not null,
    organization_id uuid not null,
    -- A serialized flick.v1.ProcessSnapshot.
    snapshot bytea not null
);
select create_hypertable('telemetry.processes', by_range('time', interval '1 day'), create_default_indexes => false);
create unique index processes_key on telemetry.processes (server_id, time);

grant select, insert on telemetry.processes to flick_ingest;
grant select on telemetry.processes to flick_query;

-- Spans from which an agent has nothing, and why. The same gap told twice is one row.
create table telemetry.gaps (
    server_id uuid not null,
    organization_id uuid not null,
    start_time timestamptz not null,
    end_time timestamptz not null,
    -- As flick.v1.GapReason numbers it.
    reason smallint not null,
    dropped_samples bigint not null check (dropped_samples >= 0),
    received_at timestamptz not null,
    primary key (server_id, start_time, end_time, reason),
    check (start_time <= end_time)
);

grant select, insert on telemetry.gaps to flick_ingest;
grant select on telemetry.gaps to flick_query;

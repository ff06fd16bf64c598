-- What became of samples that were not simply stored, counted in the transaction of the commit that decided it. What is
-- stored needs no count: its rows are there. So a server whose samples arrive writes nothing here.
create table telemetry.deliveries (
    server_id uuid not null,
    organization_id uuid not null,
    -- The hour of the commit.
    hour timestamptz not null,
    outcome text not null check (outcome in ('duplicate', 'conflict', 'rejected', 'overflow')),
    -- Of what is rejected as flick.v1.RejectionReason numbers it, of an overflow as flick.v1.OverflowKind does; else 0.
    reason smallint not null,
    count bigint not null check (count > 0),
    primary key (server_id, hour, outcome, reason)
);
-- By which old rows are found. No hypertable: a server has a handful of rows an hour at most, and mostly none.
create index deliveries_hour on telemetry.deliveries (hour);

-- What a person should know of a server's delivery. The same within a minute is one row.
create table telemetry.delivery_events (
    server_id uuid not null,
    organization_id uuid not null,
    time timestamptz not null,
    -- As flick.v1.DeliveryEventKind numbers it.
    kind smallint not null,
    -- Of an overflow as flick.v1.OverflowKind numbers it, else 0.
    reason smallint not null,
    -- How often it happened within the minute.
    count integer not null,
    spool_id text not null,
    agent_version text not null,
    -- The agent that was superseded.
    former_spool_id text,
    former_agent_version text,
    detail text not null
);
create unique index delivery_events_key on telemetry.delivery_events
    (server_id, kind, reason, date_bin('1 minute', time, timestamptz '1970-01-01 00:00:00+00'));
create index delivery_events_server_time on telemetry.delivery_events (server_id, time);
create index delivery_events_time on telemetry.delivery_events (time);

grant select, insert, update, delete on telemetry.deliveries, telemetry.delivery_events to flick_ingest;
grant select on telemetry.deliveries, telemetry.delivery_events to flick_query;

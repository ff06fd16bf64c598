-- The newest stream of each server: who sends now, and how its spool stands. Whoever opens a stream claims the row, so
-- that the process which held it before learns of it. Half of a page stays free, so that the spool's state, which comes
-- once a minute, is changed without touching an index.
create table telemetry.streams (
    server_id uuid primary key,
    organization_id uuid not null,
    stream_id uuid not null,
    -- The process of ingest that it leads to.
    instance_id uuid not null,
    spool_id text not null,
    agent_version text not null,
    -- By the database's clock, which all processes share.
    opened_at timestamptz not null,
    -- When its agent said Hello, which is before it is claimed: the later one of two streams is the newer.
    said_hello_at timestamptz not null,
    -- The agent's clock less ingest's at Hello.
    clock_offset_s double precision,
    -- A serialized flick.v1.SpoolStatus, and when it came.
    spool bytea,
    spool_at timestamptz,
    ended_at timestamptz,
    end_reason text,
    -- The stream before this one, and whether it was still open when this one came.
    former_stream_id uuid,
    former_spool_id text,
    former_agent_version text,
    former_open boolean,
    check ((spool is null) = (spool_at is null)),
    check ((ended_at is null) = (end_reason is null))
) with (fillfactor = 50);
create index streams_opened_at on telemetry.streams (opened_at);

grant select, insert, update, delete on telemetry.streams to flick_ingest;
grant select on telemetry.streams to flick_query;

-- The custom metrics of each source of samples: a server's agent, which has the server's id, and what is pushed to it, which
-- has that id with another version (flick/ids.py). Written with the layouts that name them, so that query knows what may
-- be asked for without reading these.
create table telemetry.custom_metrics (
    server_id uuid not null,
    organization_id uuid not null,
    name text not null,
    unit text not null,
    -- As flick.v1.MetricKind numbers it.
    kind smallint not null,
    description text not null,
    label_keys text[] not null,
    -- When a layout last described it.
    described_at timestamptz not null default now(),
    primary key (server_id, name)
);

-- Every series that was pushed to a server, as it is now: what the newest values are, and what counters grow from.
create table telemetry.pushed_series (
    server_id uuid not null,
    organization_id uuid not null,
    -- SHA-256 of the name and the labels.
    digest bytea not null check (length(digest) = 32),
    -- A serialized flick.v1.Layout of this series alone.
    series bytea not null,
    -- When its newest value was measured, what it is (null: not known, as after a counter's reset) and what was pushed.
    time timestamptz not null,
    value double precision,
    pushed double precision not null,
    primary key (server_id, digest)
);

grant select, insert, update on telemetry.custom_metrics to flick_ingest;
grant select, insert, update, delete on telemetry.pushed_series to flick_ingest;
grant select on telemetry.custom_metrics, telemetry.pushed_series to flick_query;

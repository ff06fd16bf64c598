-- What ingest does in the schema `telemetry`.

-- name: read_durability
-- Whether a commit means what an ack says.
select
    current_setting('fsync') as fsync,
    current_setting('full_page_writes') as full_page_writes,
    current_setting('synchronous_commit') as synchronous_commit;

-- name: find_layouts
-- The ids of layouts of servers.
select server_id, digest, layout_id
from telemetry.layouts
join unnest($1::uuid[], $2::bytea[]) as asked (server_id, digest) using (server_id, digest);

-- name: lock_layouts
-- One after the other, until the transaction ends: who adds layouts of these servers. In one order, so that no two
-- processes wait for each other.
select pg_advisory_xact_lock(key)
from (
    select distinct hashtextextended('telemetry.layouts', hashtextextended(server_id::text, 0)) as key
    from unnest($1::uuid[]) as server_id
    order by key
) as locks;

-- name: add_layouts
-- New layouts, of each server one, unless another process was faster or the server's layouts of the last 24 hours would
-- exceed $5 bytes. The 200 are what a row and its index entries take beside the series.
insert into telemetry.layouts (server_id, organization_id, digest, series)
select server_id, organization_id, digest, series
from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[]) as asked (server_id, organization_id, digest, series)
where $5::bigint >= length(asked.series) + 200 + (
    select coalesce(sum(length(stored.series) + 200), 0)
    from telemetry.layouts as stored
    where stored.server_id = asked.server_id and stored.create_time > now() - interval '24 hours'
)
on conflict (server_id, digest) do nothing
returning server_id, digest, layout_id;

-- name: describe_custom_metrics
-- What sources call their custom metrics, as the newest layouts tell; label keys come joined by commas.
insert into telemetry.custom_metrics (server_id, organization_id, name, unit, kind, description, label_keys)
select server_id, organization_id, name, unit, kind, description, string_to_array(label_keys, ',')
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[])
    as told (server_id, organization_id, name, unit, kind, description, label_keys)
order by server_id, name
on conflict (server_id, name) do update set
    unit = excluded.unit,
    kind = excluded.kind,
    description = excluded.description,
    label_keys = excluded.label_keys,
    described_at = excluded.described_at;

-- name: add_gap
-- A gap, unless it is there.
insert into telemetry.gaps (server_id, organization_id, start_time, end_time, reason, dropped_samples, received_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing;

-- name: create_metrics_staging
-- Where samples wait to be merged; empty at the beginning of every transaction.
create temporary table if not exists staging_metrics (position integer not null, like telemetry.metrics)
on commit delete rows;

-- name: create_processes_staging
-- The same for snapshots of processes.
create temporary table if not exists staging_processes (position integer not null, like telemetry.processes)
on commit delete rows;

-- name: merge_metrics
-- Stores the samples that are not stored yet, and tells how many of each server those are.
with added as (
    insert into telemetry.metrics (time, server_id, organization_id, received_at, layout_id, core, labelled)
    select time, server_id, organization_id, received_at, layout_id, core, labelled from staging_metrics order by position
    on conflict do nothing
    returning server_id
)
select server_id, count(*) as count from added group by server_id;

-- name: merge_processes
-- Stores the snapshots that are not stored yet, and tells how many of each server those are.
with added as (
    insert into telemetry.processes (time, server_id, organization_id, snapshot)
    select time, server_id, organization_id, snapshot from staging_processes order by position
    on conflict do nothing
    returning server_id
)
select server_id, count(*) as count from added group by server_id;

-- name: find_metrics_conflicts
-- Which of the samples differ from what is stored of the same server and time. Lateral: one look into the key for each,
-- whatever the planner believes of a table without statistics.
select staged.position
from staging_metrics as staged
cross join lateral (
    select layout_id, core, labelled
    from telemetry.metrics
    where metrics.server_id = staged.server_id and metrics.time = staged.time
    limit 1
) as stored
where (staged.layout_id, staged.core, staged.labelled) is distinct from (stored.layout_id, stored.core, stored.labelled);

-- name: find_processes_conflicts
-- The same for snapshots of processes.
select staged.position
from staging_processes as staged
cross join lateral (
    select snapshot
    from telemetry.processes
    where processes.server_id = staged.server_id and processes.time = staged.time
    limit 1
) as stored
where stored.snapshot <> staged.snapshot;

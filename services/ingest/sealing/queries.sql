-- What the sealer does in the schema `telemetry`.

-- name: find_chunks
-- The spans of chunks that hold rows of a time that is over, the oldest first.
select distinct range_start, range_end
from timescaledb_information.chunks
where hypertable_schema = 'telemetry' and hypertable_name in ('metrics', 'processes') and range_start < $1
order by range_start;

-- name: count_samples
-- How many samples of each server there are of an hour, and when the last of them came.
select server_id, count(*) as count, max(received_at) as received_at
from telemetry.metrics
where time >= $1 and time < $2
group by server_id
order by server_id;

-- name: count_snapshots
-- How many snapshots of each server there are of an hour.
select server_id, count(*) as count
from telemetry.processes
where time >= $1 and time < $2
group by server_id
order by server_id;

-- name: read_samples
-- The samples of a server and a span, $4 of them at most, those of one owner and layout that are equally long side by side in
-- their binary form. No layout is 0. Mostly they come in the order of time; to demand it would cost half as much again.
select
    organization_id, coalesce(layout_id, 0) as layout_id,
    string_agg(timestamptz_send(time), '') as times,
    string_agg(timestamptz_send(received_at), '') as received,
    string_agg(core, '') as core,
    string_agg(labelled, '') as labelled
from (
    select time, received_at, organization_id, layout_id, core, labelled
    from telemetry.metrics
    where server_id = $1 and time >= $2 and time < $3
    order by time
    limit $4
) as sample
group by organization_id, layout_id, length(core), length(labelled);

-- name: read_snapshots
-- The snapshots of a server and a span, with time and owner in their binary form. In one piece they would cost PostgreSQL
-- twice as much, as a COPY both sides a third more.
select timestamptz_send(time), uuid_send(organization_id), snapshot
from telemetry.processes
where server_id = $1 and time >= $2 and time < $3
order by time;

-- name: has_blocks
-- Whether anything of a server's hour is sealed.
select exists (select from telemetry.sealed_metrics where server_id = $1 and hour = $2)
    or exists (select from telemetry.sealed_processes where server_id = $1 and hour = $2);

-- name: find_sample_blocks
-- The blocks of a server's hour that touch a span of it.
select organization_id, layout_id, count, first_time, last_time, times, lags, core, labelled
from telemetry.sealed_metrics
where server_id = $1 and hour = $2 and first_time < $4 and last_time >= $3;

-- name: find_snapshot_blocks
-- The same of snapshots.
select organization_id, count, first_time, last_time, times, snapshots
from telemetry.sealed_processes
where server_id = $1 and hour = $2 and first_time < $4 and last_time >= $3;

-- name: add_sample_block
-- A new block of samples.
insert into telemetry.sealed_metrics
    (server_id, hour, organization_id, layout_id, count, first_time, last_time, times, lags, core, labelled)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: add_snapshot_block
-- A new block of snapshots.
insert into telemetry.sealed_processes
    (server_id, hour, organization_id, count, first_time, last_time, times, snapshots)
values ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: remove_copies
-- Takes away the rows of some moments of a server's hour, which blocks hold; tells how many those were.
select samples, snapshots from telemetry.remove_copies($1, $2, $3);

-- name: drop_sealed_chunks
-- Gives back the chunks of a time, which have as many samples and snapshots as are known to be in blocks.
select telemetry.drop_sealed_chunks($1, $2, $3);

-- What query reads of the schema `telemetry`. Comments of the form /*name*/ are filled in by store.py from the
-- contract's own columns and from positions in layouts, never from what a caller sends.

-- name: probe
-- How the history of a server begins within a span: its rows, counted up to a limit, and the first and last of those.
select count(*) as rows, min(time) as first, max(time) as last
from (
    select time from telemetry.metrics
    where server_id = $1 and time >= $2 and time < $3
    order by time
    limit $4
) as beginning;

-- name: samples
-- Values as they were measured, in the order of time.
select /*layout*/ as layout_id, date_part('epoch', time) as time, array[/*values*/]::float8[] as values
from telemetry.metrics
where server_id = $1 and time >= $2 and time < $3
order by telemetry.metrics.time;

-- name: steps
-- Values combined by steps of a grid that begins at the Unix epoch, in the order of time.
select
    /*layout*/ as layout_id,
    date_part('epoch', time_bucket($4::interval, time, origin => timestamptz 'epoch')) as time,
    array[/*counts*/]::bigint[] as counts,
    array[/*totals*/]::float8[] as totals,
    array[/*minima*/]::float8[] as minima,
    array[/*maxima*/]::float8[] as maxima
from telemetry.metrics
where server_id = $1 and time >= $2 and time < $3
group by 1, 2
order by 2;

-- name: layout_ids
-- Which layouts the samples of a span have.
select distinct layout_id
from telemetry.metrics
where server_id = $1 and time >= $2 and time < $3 and layout_id is not null;

-- name: layouts_size
-- How many bytes some layouts have together.
select coalesce(sum(length(series)), 0)
from telemetry.layouts
where layout_id = any($1::integer[]);

-- name: layouts
-- What some layouts are.
select layout_id, series
from telemetry.layouts
where layout_id = any($1::integer[]);

-- name: newest_samples
-- The newest sample of each server that has one after a moment.
select
    server.server_id, newest.time, newest.core, newest.layout_id, newest.labelled
from unnest($1::uuid[]) as server (server_id)
cross join lateral (
    select time, array[/*core*/]::float8[] as core, layout_id, labelled
    from telemetry.metrics
    where metrics.server_id = server.server_id and metrics.time > $2
    order by metrics.time desc
    limit 1
) as newest;

-- name: newest_times
-- When the newest sample of each server that has one after a moment was measured.
select server.server_id, newest.time
from unnest($1::uuid[]) as server (server_id)
cross join lateral (
    select time
    from telemetry.metrics
    where metrics.server_id = server.server_id and metrics.time > $2
    order by metrics.time desc
    limit 1
) as newest;

-- name: delivered
-- How many samples of a span are stored, and how long after their times they came: the median, the 99th of 100, the most.
select
    count(*) as count,
    percentile_disc(array[0.5, 0.99]) within group (order by received_at - time) as lags,
    max(received_at - time) as max_lag
from telemetry.metrics
where server_id = $1 and time >= $2 and time < $3;

-- name: outcomes
-- What became of samples beside being stored, counted by the hour in which they came.
select outcome, reason, sum(count)::bigint as count
from telemetry.deliveries
where server_id = $1 and hour >= $2 and hour < $3
group by outcome, reason
order by outcome, reason;

-- name: gaps
-- The newest gaps that touch a span, and how many there are in all.
select start_time, end_time, reason, dropped_samples, received_at, count(*) over () as total
from telemetry.gaps
where server_id = $1 and start_time < $3 and end_time >= $2
order by start_time desc, end_time desc
limit $4;

-- name: stream
-- The newest stream of a server. One of which nothing was heard for the given time died with its process.
select
    stream_id, instance_id, spool_id, agent_version, opened_at, clock_offset_s, spool, spool_at, ended_at, end_reason,
    ended_at is null and greatest(opened_at, spool_at) > now() - $2::interval as connected
from telemetry.streams
where server_id = $1;

-- name: events
-- The newest events of a span.
select time, kind, count, spool_id, agent_version, former_spool_id, former_agent_version, detail
from telemetry.delivery_events
where server_id = $1 and time >= $2 and time < $3
order by time desc, kind, reason
limit $4;

-- name: processes
-- The last snapshot of a server's processes within a span, both ends included.
select time, snapshot
from telemetry.processes
where server_id = $1 and time >= $2 and time <= $3
order by time desc
limit 1;

-- What query reads of the schema `telemetry`. Comments of the form /*name*/ are filled in from numbers of the contract's
-- metrics and from positions in layouts, never from what a caller sends.

-- name: begin_snapshot
-- Begins a transaction of which all statements see one moment, the first one chooses it, and keeps chunks of plain rows from being
-- given back until it ends.
begin isolation level repeatable read, read only;
lock table telemetry.metrics, telemetry.processes in access share mode;

-- name: row_times
-- When the first samples of a span were measured, in microseconds.
select coalesce(array_agg(time_us order by time_us), '{}') as times_us
from (
    select (date_part('epoch', time) * 1000000::float8)::bigint as time_us
    from telemetry.metrics
    where server_id = $1 and time >= $2 and time < $3
    order by time
    limit $4
) as beginning;

-- name: survey
-- Where samples of some whole hours lie: in which blocks of sealed hours, and how many rows each hour has that has any.
select
    (date_part('epoch', hour) * 1000000::float8)::bigint as hour_us,
    count as size,
    (date_part('epoch', first_time) * 1000000::float8)::bigint as first_us,
    (date_part('epoch', last_time) * 1000000::float8)::bigint as last_us,
    layout_id
from telemetry.sealed_metrics
where server_id = $1 and hour >= $2 and hour < $3
union all
select (date_part('epoch', hour) * 1000000::float8)::bigint, count(*)::integer, null, null, null
from (
    select date_bin('1 hour', time, timestamptz 'epoch') as hour
    from telemetry.metrics
    where server_id = $1 and time >= $2 and time < $3
) as found
group by hour
order by hour_us, first_us;

-- name: lacking
-- The hours of a span that buckets of an hour and of a day do not show as they are, and whether those of a minute do: those that are not
-- rolled up, and those with plain rows, of which some may have come late and which go soon after they are in blocks.
select (date_part('epoch', hour) * 1000000::float8)::bigint as hour_us, bool_and(has_minutes) as has_minutes
from (
    select hour, has_minutes
    from telemetry.rollups_due
    where server_id = $1 and hour >= $2 and hour < $3
    union
    select date_bin('1 hour', time, timestamptz 'epoch'), false
    from telemetry.metrics
    where server_id = $1 and time >= $2 and time < $3
) as found
group by hour;

-- name: row_columns
-- Values as they were measured, cut out of one of `core` and `labelled`, those of one layout that are equally long side by side in
-- their binary form: times, and for each of them its values. Mostly they come in the order of time.
select
    /*layout*/ as layout_id,
    coalesce(length(/*packed*/), 0) as size,
    string_agg(timestamptz_send(time), '') as times,
    string_agg(/*cut*/, '') as values
from telemetry.metrics
where server_id = $1 and time >= $2 and time < $3
group by 1, 2;

-- name: row_layout_ids
-- Which layouts the samples of a span have.
select distinct layout_id
from telemetry.metrics
where server_id = $1 and time >= $2 and time < $3 and layout_id is not null;

-- name: row_lags
-- When the samples of a span were measured, and when each came, side by side in their binary form.
select string_agg(timestamptz_send(time), '') as times, string_agg(timestamptz_send(received_at), '') as received
from telemetry.metrics
where server_id = $1 and time >= $2 and time < $3;

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

-- name: row_newest
-- The newest sample of each server that has one after a moment.
select
    server.server_id,
    (date_part('epoch', newest.time) * 1000000::float8)::bigint as time_us,
    coalesce(newest.layout_id, 0) as layout_id,
    newest.core,
    coalesce(newest.labelled, '') as labelled
from unnest($1::uuid[]) as server (server_id)
cross join lateral (
    select time, core, layout_id, labelled
    from telemetry.metrics
    where metrics.server_id = server.server_id and metrics.time > $2
    order by metrics.time desc
    limit 1
) as newest;

-- name: row_newest_times
-- When the newest sample of each server that has one after a moment was measured, in microseconds.
select server.server_id, (date_part('epoch', newest.time) * 1000000::float8)::bigint as time_us
from unnest($1::uuid[]) as server (server_id)
cross join lateral (
    select time
    from telemetry.metrics
    where metrics.server_id = server.server_id and metrics.time > $2
    order by metrics.time desc
    limit 1
) as newest;

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

-- name: told_gaps
-- The longest gaps that touch a span, as agents told them.
select
    (date_part('epoch', start_time) * 1000000::float8)::bigint as start_us,
    (date_part('epoch', end_time) * 1000000::float8)::bigint as end_us,
    reason
from telemetry.gaps
where server_id = $1 and start_time < $3 and end_time > $2
order by end_time - start_time desc, start_time desc
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

-- name: row_processes
-- The last snapshot of a server's processes within a span.
select (date_part('epoch', time) * 1000000::float8)::bigint as time_us, snapshot
from telemetry.processes
where server_id = $1 and time >= $2 and time < $3
order by time desc
limit 1;

-- name: row_each_processes
-- Every snapshot of a span, in the order of time.
select (date_part('epoch', time) * 1000000::float8)::bigint as time_us, snapshot
from telemetry.processes
where server_id = $1 and time >= $2 and time < $3
order by telemetry.processes.time;

-- name: processes_count
-- How many snapshots a span has, at most: all of the hours that it touches. $4 is the hour in which it begins.
select
    (select count(*) from telemetry.processes where server_id = $1 and time >= $2 and time < $3)
    + coalesce(
        (
            select sum(count)
            from telemetry.sealed_processes
            where server_id = $1 and hour >= $4 and hour < $3 and last_time >= $2 and first_time < $3
        ),
        0
    )::bigint;

-- name: hour_times
-- When the samples of those blocks were measured, and which layout they have.
select layout_id, times
from telemetry.sealed_metrics
where server_id = $1 and hour >= $4 and hour < $3 and last_time >= $2 and first_time < $3
order by hour, first_time;

-- name: sample_before
-- Whether there is a sample before a moment, whose hour is $3.
select exists (
        select 1 from telemetry.sealed_metrics where server_id = $1 and hour <= $3 and first_time < $2
    ) or exists (select 1 from telemetry.metrics where server_id = $1 and time < $2);

-- name: hour_lags
-- When the samples of those blocks were measured, and how much later each came.
select times, lags
from telemetry.sealed_metrics
where server_id = $1 and hour >= $4 and hour < $3 and last_time >= $2 and first_time < $3
order by hour, first_time;

-- name: hour_columns
-- Some columns of blocks of sealed hours or of rollups, cut out of one of `core` and `labelled` as flick/columns.py lays them out: its head, and
-- for each run of columns that lie side by side, from $5, included, to $6, not included, their streams.
select
    /*layout*/ as layout_id,
    times,
    head,
    array(
        select substring(packed from bounds.low + 1 for bounds.high - bounds.low)
        from unnest($5::integer[], $6::integer[]) with ordinality as run (low, high, number)
        cross join lateral (
            select
                ('x' || encode(substring(head from 9 + 4 * least(run.low, width) for 4), 'hex'))::bit(32)::integer as low,
                ('x' || encode(substring(head from 9 + 4 * least(run.high, width) for 4), 'hex'))::bit(32)::integer as high
        ) as bounds
        order by run.number
    ) as streams
    /*weights*/
from (
    select
        /*begin*/, first_time, layout_id, times, packed, width,
        substring(packed from 1 for 12 + 4 * width) as head
        /*weights*/
    from (
        select
            /*begin*/, first_time, layout_id, times, /*packed*/ as packed,
            get_byte(substring(/*packed*/ from 3 for 2), 0) * 256 + get_byte(substring(/*packed*/ from 3 for 2), 1) as width
            /*weights*/
        from telemetry./*table*/
        where server_id = $1 and /*begin*/ >= $4 and /*begin*/ < $3 and last_time >= $2 and first_time < $3
        offset 0
    ) as counted
    offset 0
) as block
order by /*begin*/, first_time;

-- name: rollup_firsts
-- When the first bucket of each level begins that has any before a moment, in microseconds. Blocks of a span differ in layout.
select
    (date_part('epoch', (select min(first_time) from (
        select first_time from telemetry.rollups_1m where server_id = $1 and span_start < $2 order by span_start limit 50
    ) as minutes)) * 1000000::float8)::bigint as "1m",
    (date_part('epoch', (select min(first_time) from (
        select first_time from telemetry.rollups_1h where server_id = $1 and span_start < $2 order by span_start limit 50
    ) as hours)) * 1000000::float8)::bigint as "1h",
    (date_part('epoch', (select min(first_time) from (
        select first_time from telemetry.rollups_1d where server_id = $1 and span_start < $2 order by span_start limit 50
    ) as days)) * 1000000::float8)::bigint as "1d";

-- name: rollup_before
-- Whether there is a bucket of a day or an hour that ended before a moment.
select exists (
        select 1 from telemetry.rollups_1d where server_id = $1 and span_start < $2 and first_time <= $2 - interval '1 day'
    ) or exists (
        select 1 from telemetry.rollups_1h where server_id = $1 and span_start < $2 and first_time <= $2 - interval '1 hour'
    );

-- name: rollup_layout_ids
-- Which layouts the blocks of a level have that touch a span. $4 is before the span by as long as a block may be.
select distinct layout_id
from telemetry./*table*/
where server_id = $1 and span_start >= $4 and span_start < $3 and last_time >= $2 and first_time < $3;

-- name: rollup_times
-- The beginnings of the buckets of those blocks.
select times
from telemetry./*table*/
where server_id = $1 and span_start >= $4 and span_start < $3 and last_time >= $2 and first_time < $3
order by span_start;

-- name: hour_newest
-- The newest block of each server that has a sample after a moment, and when its last one was measured. $3 is the
-- moment's hour.
select
    (date_part('epoch', newest.last_time) * 1000000::float8)::bigint as time_us,
    server.server_id, newest.hour, newest.first_time
from unnest($1::uuid[]) as server (server_id)
cross join lateral (
    select hour, first_time, last_time
    from telemetry.sealed_metrics
    where sealed_metrics.server_id = server.server_id and sealed_metrics.hour >= $3 and sealed_metrics.last_time > $2
    order by sealed_metrics.hour desc, sealed_metrics.last_time desc
    limit 1
) as newest;

-- name: hour_whole
-- Whole blocks, by their keys.
select
    server_id, (date_part('epoch', block.last_time) * 1000000::float8)::bigint as time_us,
    block.layout_id, block.core, block.labelled
from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) as wanted (server_id, hour, first_time)
join telemetry.sealed_metrics as block using (server_id, hour, first_time);

-- name: hour_processes
-- The blocks of sealed hours that have snapshots of processes of a span, perhaps. $4 is the hour in which it begins.
select times, snapshots
from telemetry.sealed_processes
where server_id = $1 and hour >= $4 and hour < $3 and last_time >= $2 and first_time < $3;

-- name: newest_streams
-- The newest stream of each of some servers: whether it is open, of which nothing was heard for the given time it is not known, and
-- when and why it ended.
select
    server_id, opened_at, ended_at, end_reason,
    ended_at is null and greatest(opened_at, spool_at) > now() - $2::interval as connected
from telemetry.streams
where server_id = any($1::uuid[]);

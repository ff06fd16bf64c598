-- The delivery ledger in the schema `telemetry`.

-- name: add_outcomes
-- Counts what became of samples, within the transaction of their commit; tells of the first overflow in a day.
-- In the order of the key, so that no two commits wait for each other.
with counted as (
    insert into telemetry.deliveries as known (server_id, organization_id, hour, outcome, reason, count)
    select
        server_id, organization_id, date_bin('1 hour', now(), timestamptz '1970-01-01 00:00:00+00'), outcome, reason,
        count
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::smallint[], $5::bigint[])
        as happened (server_id, organization_id, outcome, reason, count)
    order by server_id, outcome, reason
    on conflict (server_id, hour, outcome, reason) do update set count = known.count + excluded.count
    returning server_id, organization_id, hour, outcome, reason
)
insert into telemetry.delivery_events as known
    (server_id, organization_id, time, kind, reason, count, spool_id, agent_version, detail)
select
    counted.server_id, counted.organization_id, now(), $6, counted.reason, 1,
    coalesce(streams.spool_id, ''), coalesce(streams.agent_version, ''), $7
from counted
left join telemetry.streams using (server_id)
where counted.outcome = 'overflow'
    and not exists (
        select from telemetry.deliveries as before
        where before.server_id = counted.server_id and before.outcome = 'overflow' and before.reason = counted.reason
            and before.hour >= counted.hour - interval '1 day'
    )
order by counted.server_id, counted.reason
on conflict do nothing;

-- name: claim_streams
-- Makes streams of different servers the newest, tells which ones were that before, and notes when another agent is
-- pushed aside. Claiming the same stream again changes nothing, nor does a claim that comes later than that of a newer
-- stream of another process; one process claims in order, which it knows better than the moments, since a statement takes
-- its time. What was claimed in the future was so before the database's clock was set back. In the order of the key, so
-- that no two processes wait for each other.
with claimed as (
    insert into telemetry.streams as held
        (server_id, organization_id, stream_id, instance_id, spool_id, agent_version, opened_at, said_hello_at,
        clock_offset_s, spool, spool_at)
    select
        server_id, organization_id, stream_id, $9, spool_id, agent_version, clock_timestamp(),
        statement_timestamp() - age,
        clock_offset_s, spool, case when spool is not null then $10::timestamptz end
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::float8[], $7::bytea[], $8::interval[])
        as asked (server_id, organization_id, stream_id, spool_id, agent_version, clock_offset_s, spool, age)
    order by server_id
    on conflict (server_id) do update set
        organization_id = excluded.organization_id,
        stream_id = excluded.stream_id,
        instance_id = excluded.instance_id,
        spool_id = excluded.spool_id,
        agent_version = excluded.agent_version,
        opened_at = clock_timestamp(),
        said_hello_at = excluded.said_hello_at,
        clock_offset_s = excluded.clock_offset_s,
        spool = excluded.spool,
        spool_at = excluded.spool_at,
        ended_at = null,
        end_reason = null,
        former_stream_id = held.stream_id,
        former_spool_id = held.spool_id,
        former_agent_version = held.agent_version,
        former_open = (held.ended_at is null or held.end_reason = 'superseded')
            and greatest(held.opened_at, held.spool_at) > clock_timestamp() - $11::interval
    where held.stream_id <> excluded.stream_id
        and (
            held.instance_id = excluded.instance_id
            or held.said_hello_at <= excluded.said_hello_at
            or held.opened_at > clock_timestamp()
        )
    returning
        server_id, organization_id, opened_at, spool_id, agent_version, former_stream_id, former_spool_id,
        former_agent_version, former_open
), told as (
    insert into telemetry.delivery_events as known
        (server_id, organization_id, time, kind, reason, count, spool_id, agent_version, former_spool_id,
        former_agent_version, detail)
    select
        server_id, organization_id, opened_at, $12, 0, 1, spool_id, agent_version, former_spool_id,
        former_agent_version, $13
    from claimed
    where former_open and former_spool_id <> spool_id
    order by server_id
    on conflict (server_id, kind, reason, date_bin('1 minute', time, timestamptz '1970-01-01 00:00:00+00'))
    do update set count = known.count + 1
)
select server_id, former_stream_id, former_spool_id, former_agent_version, former_open
from claimed
where former_stream_id is not null;

-- name: find_claims_of_others
-- Which servers' newest streams were opened lately by other processes.
select server_id, stream_id, spool_id, agent_version
from telemetry.streams
where opened_at > now() - $1::interval and instance_id <> $2;

-- name: update_streams
-- What is new of streams that are still their servers' newest: the spool's state, the clock, or that the stream ended.
update telemetry.streams as held
set spool = coalesce(news.spool, held.spool),
    spool_at = coalesce(news.spool_at, held.spool_at),
    clock_offset_s = coalesce(news.clock_offset_s, held.clock_offset_s),
    ended_at = coalesce(news.ended_at, held.ended_at),
    end_reason = coalesce(news.end_reason, held.end_reason)
from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::float8[])
    as news (server_id, stream_id, spool, spool_at, ended_at, end_reason, clock_offset_s)
where held.server_id = news.server_id and held.stream_id = news.stream_id;

-- name: add_events
-- Notes events; the same within a minute is counted.
insert into telemetry.delivery_events as known
    (server_id, organization_id, time, kind, reason, count, spool_id, agent_version, detail)
select server_id, organization_id, time, kind, 0, count, spool_id, agent_version, detail
from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::smallint[], $5::integer[], $6::text[], $7::text[], $8::text[])
    as happened (server_id, organization_id, time, kind, count, spool_id, agent_version, detail)
on conflict (server_id, kind, reason, date_bin('1 minute', time, timestamptz '1970-01-01 00:00:00+00'))
do update set count = known.count + excluded.count;

-- name: delete_old_deliveries
-- Forgets counts that nobody can ask for any more.
delete from telemetry.deliveries where hour < now() - $1::interval;

-- name: delete_old_streams
-- Forgets servers that have not sent for long. Streams move every ten minutes, so one so old is over.
delete from telemetry.streams where opened_at < now() - $1::interval;

-- name: delete_old_events
-- Forgets events after a while.
delete from telemetry.delivery_events where time < now() - $1::interval;

-- name: delete_surplus_events
-- Keeps the newest events of each server to which something happened lately.
with lately as (
    select distinct server_id from telemetry.delivery_events where time > now() - $1::interval
), surplus as (
    select server_id, time
    from lately
    cross join lateral (
        select time from telemetry.delivery_events
        where delivery_events.server_id = lately.server_id
        order by time desc
        offset $2
        limit 1
    ) as oldest
)
delete from telemetry.delivery_events as event
using surplus
where event.server_id = surplus.server_id and event.time <= surplus.time;

-- What a push does in the schema `telemetry`. $1 is the source of samples: flick.ids.pushed_source of the server.

-- name: lock_source
-- One push after the other, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('telemetry.pushed', hashtextextended($1::uuid::text, 0)));

-- name: count_series
-- How many series were pushed to a source.
select count(*) from telemetry.pushed_series where server_id = $1;

-- name: forget_series
-- Forgets series of which no sample is kept any more.
delete from telemetry.pushed_series where server_id = $1 and time < $2;

-- name: find_series
-- Those of some series that were pushed before: when last, and which number.
select digest, (date_part('epoch', time) * 1000)::bigint as time_ms, pushed
from telemetry.pushed_series
where server_id = $1 and digest = any($2::bytea[]);

-- name: keep_series
-- What series are now, unless something newer is known.
insert into telemetry.pushed_series (server_id, organization_id, digest, series, time, value, pushed)
select $1, $2, digest, series, time, nullif(value, 'NaN'), pushed
from unnest($3::bytea[], $4::bytea[], $5::timestamptz[], $6::float8[], $7::float8[])
    as told (digest, series, time, value, pushed)
on conflict (server_id, digest) do update set
    organization_id = excluded.organization_id,
    series = excluded.series,
    time = excluded.time,
    value = excluded.value,
    pushed = excluded.pushed
where pushed_series.time <= excluded.time;

-- name: find_rows
-- The samples within a millisecond of some moments that lie in rows.
select (date_part('epoch', time) * 1000000::float8)::bigint as time_us, layout_id, labelled
from unnest($2::timestamptz[]) as moment
cross join lateral (
    select time, layout_id, labelled
    from telemetry.metrics
    where metrics.server_id = $1 and metrics.time >= moment and metrics.time < moment + interval '1 millisecond'
) as stored;

-- name: find_blocks
-- The blocks of some hours.
select layout_id, times, labelled
from telemetry.sealed_metrics
where server_id = $1 and hour = any($2::timestamptz[]);

-- name: add_sample
-- A sample.
insert into telemetry.metrics (server_id, organization_id, time, received_at, layout_id, core, labelled)
values ($1, $2, $3, $4, $5, '', $6);

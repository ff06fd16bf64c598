-- What the roller does in the schema `telemetry`. /*table*/ is that of a level, filled in by store.py.

-- name: find_samples
-- The blocks of samples of a server's hour.
select organization_id, layout_id, count, first_time, last_time, times, lags, core, labelled
from telemetry.sealed_metrics
where server_id = $1 and hour = $2
order by sealed_at;

-- name: find_blocks
-- The blocks of a server's span.
select organization_id, layout_id, count, first_time, last_time, times, weights, weight_places, core, labelled
from telemetry./*table*/
where server_id = $1 and span_start = $2;

-- name: write_block
-- A block of a server's span, in the place of the one that is there.
insert into telemetry./*table*/ (
    server_id, span_start, organization_id, layout_id, count, first_time, last_time, times, weights, weight_places, core, labelled
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (server_id, span_start, layout_id) do update set
    organization_id = excluded.organization_id, written_at = clock_timestamp(), count = excluded.count,
    first_time = excluded.first_time, last_time = excluded.last_time, times = excluded.times, weights = excluded.weights,
    weight_places = excluded.weight_places, core = excluded.core, labelled = excluded.labelled;

-- name: list_expiries
-- From before which moment what rollups are made of is gone, by server.
select server_id, before from telemetry.expiries;

-- name: note_hour
-- Notes that an hour is to be taken into hours and days, and whether its minutes are as they should be.
insert into telemetry.rollups_due (server_id, hour, has_minutes) values ($1, $2, $3)
on conflict (server_id, hour) do update set has_minutes = excluded.has_minutes, note_time = clock_timestamp();

-- name: find_without_minutes
-- Hours whose minutes are to be made, those that were noted first.
select server_id, array[hour] as hours
from telemetry.rollups_due
where not has_minutes
order by note_time
limit $1;

-- name: find_outside_of_days
-- Hours from before a moment that hours and days do not show, by server, $3 of each, the oldest first.
select server_id, (array_agg(hour order by hour))[:$3] as hours
from telemetry.rollups_due
where has_minutes and hour < $1
group by server_id
order by min(note_time)
limit $2;

-- name: forget_hours
-- Hours and days show these hours now.
delete from telemetry.rollups_due where server_id = $1 and hour = any($2);

-- name: postpone
-- Everything else of what is due comes first.
update telemetry.rollups_due set note_time = clock_timestamp() where server_id = $1 and hour = any($2);

-- name: find_behind
-- How many hours wait longer than they should, and the oldest of them.
select count(*) as count, min(hour) as oldest
from telemetry.rollups_due
where not has_minutes or hour < $1;

-- What query reads of custom metrics.

-- name: known_custom_names
-- Which of these names custom metrics of some sources have.
select array(
    select distinct name from telemetry.custom_metrics where server_id = any($1::uuid[]) and name = any($2::text[])
);

-- name: custom_metrics
-- The custom metrics of some sources, those that were described last first.
select name, unit, kind, description, label_keys
from telemetry.custom_metrics
where server_id = any($1::uuid[])
order by described_at desc, name
limit $2;

-- name: pushed_values
-- The newest value of every series that was pushed to a source. Of a counter that was reset there is none.
select series, (date_part('epoch', time) * 1000)::bigint as time_ms, value
from telemetry.pushed_series
where server_id = $1 and value is not null;

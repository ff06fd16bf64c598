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

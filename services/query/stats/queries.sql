-- What FLick asks PostgreSQL of itself: catalogues, and tables with a row for each server. No samples are read but the
-- newest of some servers.

-- name: versions
-- Which PostgreSQL this is, which TimescaleDB, and what its license allows.
select
    current_setting('server_version') as postgresql,
    (select extversion from pg_extension where extname = 'timescaledb') as timescaledb,
    current_setting('timescaledb.license', true) as license;

-- name: agents
-- How many agents sent lately, and how many streams are open; $2 is after which time one of which nothing is heard is not.
select
    count(*) as known,
    count(*) filter (where ended_at is null and greatest(opened_at, spool_at) > now() - $2::interval) as connected
from telemetry.streams
where $1::uuid[] is null or organization_id = any($1);

-- name: agent_versions
-- How many of the connected agents have which version.
select agent_version, count(*) as count
from telemetry.streams
where ($1::uuid[] is null or organization_id = any($1))
    and ended_at is null and greatest(opened_at, spool_at) > now() - $2::interval
group by agent_version
order by count desc, agent_version;

-- name: ingest_streams
-- How many open streams lead to each process of ingest.
select instance_id, count(*) as count
from telemetry.streams
where ended_at is null and greatest(opened_at, spool_at) > now() - $1::interval
group by instance_id
order by instance_id;

-- name: spools
-- What connected agents told of their spools, of $3 of them at most.
select server_id, spool
from telemetry.streams
where ($1::uuid[] is null or organization_id = any($1)) and spool is not null
    and ended_at is null and greatest(opened_at, spool_at) > now() - $2::interval
limit $3;

-- name: lags
-- How late the newest sample of each connected agent came that sent within ten minutes, of $3 agents at most, in seconds.
select
    count(*) as count,
    percentile_disc(array[0.5, 0.99, 1]) within group (order by newest.lag_s) as lags_s
from (
    select server_id
    from telemetry.streams
    where ($1::uuid[] is null or organization_id = any($1))
        and ended_at is null and greatest(opened_at, spool_at) > now() - $2::interval
    limit $3
) as server
cross join lateral (
    select date_part('epoch', received_at - time) as lag_s
    from telemetry.metrics
    where metrics.server_id = server.server_id and metrics.time > now() - interval '10 minutes'
    order by metrics.time desc
    limit 1
) as newest;

-- name: recent_servers
-- Servers that sent within a day, $1 at most.
select server_id from telemetry.streams where greatest(opened_at, spool_at) > now() - interval '1 day' limit $1;

-- name: unsealed
-- How many hours that are over have chunks of rows still, and when the oldest of them began.
select count(distinct range_start) as count, min(range_start) as oldest
from timescaledb_information.chunks
where hypertable_schema = 'telemetry' and hypertable_name in ('metrics', 'processes') and range_end <= now();

-- name: schemas
-- The newest migration of each schema.
select schema_name, number, name, apply_time from telemetry.newest_migrations() order by schema_name;

-- name: size
-- Bytes of the whole database.
select pg_database_size(current_database());

-- name: tables
-- FLick's tables, those that are divided by time with all of their chunks. What goes meanwhile counts nothing.
select
    space.nspname as schema, owner.relname as table_name,
    coalesce(sum(pg_total_relation_size(part.oid)), 0)::bigint as total_bytes,
    coalesce(sum(pg_indexes_size(part.oid)), 0)::bigint as index_bytes,
    coalesce(sum(greatest(part.reltuples, 0)), 0)::bigint as rows,
    count(*) - 1 as chunks
from pg_class as owner
join pg_namespace as space on space.oid = owner.relnamespace
cross join lateral (
    select owner.oid, owner.reltuples
    union all
    select child.oid, child.reltuples
    from pg_inherits
    join pg_class as child on child.oid = pg_inherits.inhrelid
    where pg_inherits.inhparent = owner.oid
) as part
where space.nspname in ('auth', 'telemetry') and owner.relkind = 'r'
group by space.nspname, owner.relname
order by total_bytes desc, schema, table_name;

-- name: chunks
-- The chunks of some tables: their spans and bytes.
select
    chunk.hypertable_name as table_name,
    date_part('epoch', chunk.range_start) as start_s,
    date_part('epoch', chunk.range_end) as end_s,
    coalesce(pg_total_relation_size(relation.oid), 0) as size_bytes
from timescaledb_information.chunks as chunk
join pg_namespace as space on space.nspname = chunk.chunk_schema
join pg_class as relation on relation.relnamespace = space.oid and relation.relname = chunk.chunk_name
where chunk.hypertable_schema = 'telemetry' and chunk.hypertable_name = any($1);

-- name: first_hour
-- The first sealed hour before a moment, the end of the oldest chunk.
select date_part('epoch', min(hour)) from telemetry.sealed_metrics where hour < $1;

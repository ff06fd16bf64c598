-- What retention does in the schema `telemetry`.

-- name: find_chunks
-- The chunks of a table of blocks that begin before a moment, the oldest first.
select range_start
from timescaledb_information.chunks
where hypertable_schema = 'telemetry' and hypertable_name = $1 and range_start < $2
order by range_start;

-- name: expire
-- Takes away what is over in a chunk, $5 blocks at most, or all of it.
select dropped, blocks from telemetry.expire($1, $2, $3, $4, $5);

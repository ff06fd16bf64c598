"""The schema `telemetry` as its migrations make it: what a row is, and who may do what."""

import asyncpg
import pytest

from flick.db.pool import Connection, connect
from flick.v1 import catalog_pb2
from services.ingest.intake.samples import CORE_COUNT
from tests.databases import DatabaseServer

SAMPLES = (
    "layouts", "metrics", "processes", "gaps", "sealed_metrics", "sealed_processes",
    "rollups_1m", "rollups_1h", "rollups_1d", "expiries", "custom_metrics",
)  # fmt: skip
FORGETTING = ("deliveries", "delivery_events", "streams", "rollups_due", "pushed_series")
_ROW = {
    "time": "timestamp with time zone",
    "received_at": "timestamp with time zone",
    "server_id": "uuid",
    "organization_id": "uuid",
    "layout_id": "integer",
    "core": "bytea",
    "labelled": "bytea",
}


async def _columns(connection: Connection, table: str) -> dict[str, str]:
    rows = await connection.fetch(
        "select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute"
        " where attrelid = to_regclass($1) and attnum > 0 and not attisdropped",
        table,
    )
    return {row["name"]: row["type"] for row in rows}


async def test_a_row_has_its_values_side_by_side(postgres: DatabaseServer, shared_telemetry: str) -> None:
    connection = await connect(postgres.url(database=shared_telemetry), application_name="test")
    columns = await _columns(connection, "telemetry.metrics")
    await connection.close()

    assert columns == _ROW


def test_every_place_of_a_row_is_that_of_a_scalar_metric() -> None:
    assert sorted(number for number in catalog_pb2.Metric.values() if 0 < number < 500) == [*range(1, CORE_COUNT + 1)]


@pytest.mark.parametrize(
    ("table", "chunk"),
    [
        ("metrics", "01:00:00"),
        ("processes", "01:00:00"),
        ("sealed_metrics", "1 day"),
        ("sealed_processes", "1 day"),
        ("rollups_1m", "7 days"),
        ("rollups_1h", "30 days"),
        ("rollups_1d", "3650 days"),
    ],
)
async def test_rows_lie_in_chunks_of_an_hour_and_blocks_in_longer_ones(
    postgres: DatabaseServer, shared_telemetry: str, table: str, chunk: str
) -> None:
    connection = await connect(postgres.url(database=shared_telemetry), application_name="test")
    interval = await connection.fetchval(
        "select time_interval::text from timescaledb_information.dimensions"
        " where hypertable_schema = 'telemetry' and hypertable_name = $1",
        table,
    )
    await connection.close()

    assert interval == chunk


@pytest.mark.parametrize("verb", ["delete from {}", "insert into {} default values"])
@pytest.mark.parametrize("table", [f"telemetry.{name}" for name in (*SAMPLES, *FORGETTING)])
async def test_query_may_only_read(postgres: DatabaseServer, shared_telemetry: str, table: str, verb: str) -> None:
    connection = await connect(postgres.url(database=shared_telemetry, role="flick_query"), application_name="test")
    await connection.fetch(f"table {table}")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(verb.format(table))
    await connection.close()


@pytest.mark.parametrize(
    ("table", "verb"),
    [(table, verb) for table in SAMPLES for verb in ("delete from telemetry.{}", "truncate telemetry.{}")]
    + [(table, "truncate telemetry.{}") for table in FORGETTING],  # it forgets old rows
)
async def test_ingest_may_not_take_away(postgres: DatabaseServer, shared_telemetry: str, table: str, verb: str) -> None:
    connection = await connect(postgres.url(database=shared_telemetry, role="flick_ingest"), application_name="test")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(verb.format(table))
    await connection.close()


@pytest.mark.parametrize(
    "call",
    [
        "telemetry.remove_copies(gen_random_uuid(), now(), array[now()])",
        "telemetry.drop_sealed_chunks(now(), 0, 0)",
    ],
)
async def test_query_may_not_move_or_give_back_either(
    postgres: DatabaseServer, shared_telemetry: str, call: str
) -> None:
    connection = await connect(postgres.url(database=shared_telemetry, role="flick_query"), application_name="test")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"select {call}")
    await connection.close()


async def test_ingest_knows_nothing_of_auth(postgres: DatabaseServer, telemetry: str) -> None:
    owner = await connect(postgres.url(database=telemetry), application_name="test")
    await owner.execute("create schema auth; create table auth.users (id int)")
    await owner.close()
    connection = await connect(postgres.url(database=telemetry, role="flick_ingest"), application_name="test")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch("select from auth.users")
    await connection.close()

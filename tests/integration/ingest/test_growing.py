"""A database in which samples lie already gets the rows and blocks of later versions, and they stay what they were."""

import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from flick.db.migrate.apply import migrate
from flick.db.migrate.files import read_folder
from flick.db.pool import connect
from tests.databases import DatabaseServer
from tests.integration.ingest.schema import MIGRATIONS
from tests.integration.query.rows import CORE
from tests.packed import pack_core, pack_labelled

BEFORE_THE_NEW_METRICS, BEFORE_LONGER_BLOCKS, BEFORE_PACKED_ROWS = 6, 11, 12  # so many migrations had these versions
UPTIME, SESSIONS = 25, 49  # the last metrics that each of them had
NUMBERS = {name: number for number, name in CORE.items()}
AT = datetime(2026, 1, 1, tzinfo=UTC)

BLOCK = """
    insert into telemetry.{} (
        server_id, organization_id, span_start, layout_id, first_time, last_time, count, times, weights, core
    ) values ($1, $1, $2, 0, $3, $3, 1, '', '', '')
"""

_INSERT = """
    insert into telemetry.metrics
        (time, server_id, organization_id, received_at, cpu_utilization, uptime, layout_id, labelled)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_FIND = "select time, server_id, organization_id, received_at, core, layout_id, labelled from telemetry.metrics"


def core(values: dict[int, float]) -> bytes:
    """The scalars of some numbers."""
    return pack_core([values.get(number) for number in range(1, SESSIONS + 1)])


@pytest.mark.parametrize("before", [BEFORE_THE_NEW_METRICS, BEFORE_PACKED_ROWS])
async def test_samples_stay_what_they_were(postgres: DatabaseServer, before: int) -> None:
    migrations = read_folder(MIGRATIONS)
    given: list[tuple[float | None, float | None, int | None, list[float | None] | None]] = [
        (0.25, 3.0, 7, [0.5, None, -1.5]),
        (None, 1e300, 8, []),
        (-0.5, None, 9, [None]),
        (None, None, None, None),
    ]
    keys = [(AT + timedelta(hours=hour, microseconds=1), uuid.uuid4(), uuid.uuid4()) for hour in range(len(given))]
    async with postgres.database() as name:
        connection = await connect(postgres.url(database=name), application_name="test", statement_timeout_s=None)
        await migrate(connection, schema="telemetry", migrations=migrations[:before])
        for key, values in zip(keys, given, strict=True):  # a chunk each
            await connection.execute(_INSERT, *key, key[0] + timedelta(milliseconds=30), *values)
        await migrate(connection, schema="telemetry", migrations=migrations)
        rows = [tuple(row) for row in await connection.fetch(_FIND + " order by time")]
        await connection.close()

    assert rows == [
        (
            *key,
            key[0] + timedelta(milliseconds=30),
            core({number: value for number, value in ((1, cpu), (UPTIME, uptime)) if value is not None}),
            layout_id,
            None if labelled is None else pack_labelled(labelled),
        )
        for key, (cpu, uptime, layout_id, labelled) in zip(keys, given, strict=True)
    ]


async def test_every_scalar_takes_the_place_of_its_number_and_the_key_stays(postgres: DatabaseServer) -> None:
    migrations = read_folder(MIGRATIONS)
    async with postgres.database() as name:
        connection = await connect(postgres.url(database=name), application_name="test", statement_timeout_s=None)
        await migrate(connection, schema="telemetry", migrations=migrations[:BEFORE_PACKED_ROWS])
        found = await connection.fetch(
            "select column_name::text from information_schema.columns where table_schema = 'telemetry'"
            " and table_name = 'metrics' and data_type = 'double precision'"
        )
        scalars = [row["column_name"] for row in found]
        places = ", ".join(str(NUMBERS[one]) for one in scalars)
        insert = f"insert into telemetry.metrics (time, server_id, organization_id, received_at, {', '.join(scalars)})"
        owner = uuid.uuid4()
        await connection.execute(f"{insert} values ($1, $2, $2, $1, {places})", AT, owner)
        await migrate(connection, schema="telemetry", migrations=migrations)
        stored = await connection.fetchval("select core from telemetry.metrics")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(
                "insert into telemetry.metrics (time, server_id, organization_id, received_at, core)"
                " values ($1, $2, $2, $1, '')",
                *(AT, owner),
            )
        await connection.close()

    assert len(scalars) == SESSIONS
    assert stored == pack_core([float(number) for number in range(1, SESSIONS + 1)])


async def test_hours_in_blocks_of_a_day_are_due_again_and_made_of_their_minutes(postgres: DatabaseServer) -> None:
    migrations = read_folder(MIGRATIONS)
    server_id = uuid.uuid4()
    hours = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (3, 4)]
    async with postgres.database() as name:
        connection = await connect(postgres.url(database=name), application_name="test", statement_timeout_s=None)
        await migrate(connection, schema="telemetry", migrations=migrations[:BEFORE_LONGER_BLOCKS])
        for table, starts in (("rollups_1m", hours), ("rollups_1h", [datetime(2026, 1, 1, tzinfo=UTC)])):
            await connection.executemany(
                BLOCK.format(table), [(server_id, start, max(start, hours[0])) for start in starts]
            )
        await migrate(connection, schema="telemetry", migrations=migrations)
        due = await connection.fetch("select server_id, hour, has_minutes from telemetry.rollups_due order by hour")
        left = await connection.fetchval("select count(*) from telemetry.rollups_1h")
        await connection.close()

    assert [tuple(row) for row in due] == [(server_id, hour, True) for hour in hours]
    assert left == 0

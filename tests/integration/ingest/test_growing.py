"""A database in which samples lie already gets the columns of metrics that came later."""

import uuid
from datetime import UTC, datetime

from flick.db.migrate.apply import migrate
from flick.db.migrate.files import read_folder
from flick.db.pool import connect
from services.ingest.intake.samples import CORE_COLUMNS
from tests.databases import DatabaseServer
from tests.integration.ingest.schema import MIGRATIONS

BEFORE_THE_NEW_COLUMNS = 6  # so many migrations had the version before
BEFORE_LONGER_BLOCKS = 11
BLOCK = """
    insert into telemetry.{} (
        server_id, organization_id, span_start, layout_id, first_time, last_time, count, times, weights, core
    ) values ($1, $1, $2, 0, $3, $3, 1, '', '', '')
"""


async def test_samples_stay_and_what_was_not_measured_then_is_null(postgres: DatabaseServer) -> None:
    migrations = read_folder(MIGRATIONS)
    async with postgres.database() as name:
        connection = await connect(postgres.url(database=name), application_name="test", statement_timeout_s=None)
        await migrate(connection, schema="telemetry", migrations=migrations[:BEFORE_THE_NEW_COLUMNS])
        for hour in range(3):  # a chunk each
            at = datetime(2026, 1, 1, hour, tzinfo=UTC)
            await connection.execute(
                "insert into telemetry.metrics (time, server_id, organization_id, received_at, uptime)"
                " values ($1, $2, $2, $1, $3)",
                *(at, uuid.uuid4(), float(hour)),
            )
        await migrate(connection, schema="telemetry", migrations=migrations)
        rows = await connection.fetch("select * from telemetry.metrics order by time")
        await connection.close()

    assert [row["uptime"] for row in rows] == [0.0, 1.0, 2.0]
    assert all(row[column] is None for row in rows for column in CORE_COLUMNS if column != "uptime")


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

"""Sizes and chunks, as role flick_query may read them, compared with what the owner is told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from flick.db.pool import Pool, open_pool
from flick.ids import new_id
from services.query.stats.database import DatabaseReader
from services.query.stats.lifetimes import GROWING, Lifetimes
from services.query.stats.size import Disk, tell_size
from tests.databases import DatabaseServer
from tests.deployables import migrate
from tests.integration.ingest.schema import telemetry_template
from tests.integration.query.rows import Came
from tests.integration.query.sealed import seal
from tests.integration.query.telemetry import sample

HOUR = timedelta(hours=1)
DAY_S = 86_400
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class Ground:
    """A database with telemetry's tables, as its owner and as query see it."""

    def __init__(self, *, owner: "asyncpg.Connection[Any]", pool: Pool) -> None:
        self.owner = owner
        self.reader = DatabaseReader(pool=pool)

    async def seal(self, *, days_ago: int, hours: int, samples: int) -> None:
        """Sealed hours from midnight on of so many samples each."""
        server_id = str(new_id())
        for hour in range(hours):
            begin_us = int((TODAY - timedelta(days=days_ago) + hour * HOUR).timestamp()) * 1_000_000
            came = [Came(sample(begin_us + number * 1_000_000, {1: number / 7})) for number in range(samples)]
            await seal(self.owner, server_id, came)


@pytest_asyncio.fixture
async def ground(postgres: DatabaseServer) -> AsyncIterator[Ground]:
    async with postgres.database(template=await telemetry_template(postgres)) as database:
        owner = await asyncpg.connect(postgres.url(database=database))
        async with open_pool(postgres.url(database=database, role="flick_query"), application_name="test") as pool:
            yield Ground(owner=owner, pool=pool)
        await owner.close()


async def test_a_divided_table_is_all_of_its_chunks(ground: Ground) -> None:
    for days_ago in (1, 2, 3):
        await ground.seal(days_ago=days_ago, hours=3, samples=50)
    await ground.owner.execute("analyze")
    rows = await ground.reader.size(GROWING)
    told = {row["table_name"]: row for row in rows.tables if row["schema"] == "telemetry"}
    size = await ground.owner.fetchrow("select * from hypertable_detailed_size('telemetry.sealed_metrics')")
    tables = await ground.owner.fetchval("select count(*) from pg_tables where schemaname in ('auth', 'telemetry')")

    assert size is not None
    assert rows.total_bytes == await ground.owner.fetchval("select pg_database_size(current_database())")
    assert told["sealed_metrics"]["total_bytes"] == size["total_bytes"]
    assert (
        told["sealed_metrics"]["index_bytes"] >= size["index_bytes"] > 0
    )  # that of what is stored aside counts as well
    assert (told["sealed_metrics"]["rows"], told["sealed_metrics"]["chunks"]) == (9, 3)
    assert (told["streams"]["rows"], told["streams"]["chunks"]) == (0, 0)
    assert len(rows.tables) == tables


async def test_pieces_are_chunks_with_their_spans_and_bytes(ground: Ground) -> None:
    await ground.seal(days_ago=2, hours=1, samples=10)
    await ground.seal(days_ago=1, hours=2, samples=500)
    rows = await ground.reader.size(GROWING)
    pieces = sorted(rows.pieces["sealed_metrics"], key=lambda one: one.start_s)
    sizes = await ground.owner.fetch("select total_bytes from chunks_detailed_size('telemetry.sealed_metrics')")

    assert set(rows.pieces) == set(GROWING)
    assert [one.end_s - one.start_s for one in pieces] == [DAY_S, DAY_S]
    assert [one.start_s for one in pieces] == [(TODAY - days * 24 * HOUR).timestamp() for days in (2, 1)]
    assert sorted(one.size_bytes for one in pieces) == sorted(row["total_bytes"] for row in sizes)
    assert rows.first_s == (TODAY - timedelta(days=2)).timestamp()


async def test_an_empty_database_has_no_first_hour(ground: Ground) -> None:
    rows = await ground.reader.size(GROWING)

    assert rows.first_s is None
    assert not any(rows.pieces.values())


async def test_the_forecast_is_made_of_sealed_days_as_they_are(ground: Ground) -> None:
    for days_ago in (1, 2):
        await ground.seal(days_ago=days_ago, hours=24, samples=20)
    rows = await ground.reader.size(GROWING)
    newest = max(rows.pieces["sealed_metrics"], key=lambda one: one.start_s)
    told = tell_size(
        rows,
        lifetimes_s=Lifetimes().by_table([10, 20]),
        sealed_until_s=TODAY.timestamp(),
        now_s=TODAY.timestamp() + 1800,
        disk=Disk(total_bytes=10**12, free_bytes=newest.size_bytes),
    ).forecast
    part = next(one for one in told.parts if one.table == "sealed_metrics")

    assert not told.absent_reason
    assert part.growth_bytes_per_day == newest.size_bytes
    assert (part.measured_over.seconds, part.lifetime.seconds) == (DAY_S, 15 * DAY_S)
    assert part.final_bytes == 15 * newest.size_bytes
    assert part.bytes == sum(one.size_bytes for one in rows.pieces["sealed_metrics"])
    assert told.final_bytes - rows.total_bytes == part.final_bytes - part.bytes
    assert told.days_until_full == 1


async def test_the_newest_migration_of_every_schema_is_told_and_nothing_else_of_them(postgres: DatabaseServer) -> None:
    template = await postgres.template("flick_test_migrated", lambda url: migrate(url=url))
    async with postgres.database(template=template) as database:
        owner = await asyncpg.connect(postgres.url(database=database))
        newest = {
            "auth": await owner.fetchval("select max(number) from auth.migrations"),
            "telemetry": await owner.fetchval("select max(number) from telemetry.migrations"),
        }
        await owner.close()
        async with open_pool(postgres.url(database=database, role="flick_query"), application_name="test") as pool:
            house = await DatabaseReader(pool=pool).house()
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.fetch("select number from telemetry.migrations")
        async with open_pool(postgres.url(database=database, role="flick_ingest"), application_name="test") as pool:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.fetch("select number from telemetry.newest_migrations()")

    assert {row["schema_name"]: row["number"] for row in house.schemas} == newest

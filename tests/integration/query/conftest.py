"""A database that holds telemetry's empty tables, and one query for all tests: each makes servers of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from flick.db.migrate.apply import migrate
from flick.db.migrate.files import read_folder
from tests.databases import DatabaseServer
from tests.integration.query.house import QueryHouse, query_house
from tests.integration.query.telemetry import Lying

MIGRATIONS = Path(__file__).parents[3] / "services/ingest/migrations"


async def _migrate(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection, schema="telemetry", migrations=read_folder(MIGRATIONS))
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def telemetry_database(postgres: DatabaseServer) -> AsyncIterator[str]:
    """The name of a database that holds telemetry's tables."""
    template = await postgres.template("flick_test_telemetry", _migrate)
    async with postgres.database(template=template) as name:
        yield name


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(postgres: DatabaseServer, telemetry_database: str, redis_url: str) -> AsyncIterator[QueryHouse]:
    """A running query. Everything in it is shared: use servers of your own."""
    async with query_house(
        database_url=postgres.url(database=telemetry_database, role="flick_query"),
        owner_url=postgres.url(database=telemetry_database),
        redis_url=redis_url,
    ) as running:
        yield running


@pytest.fixture(params=Lying, ids=lambda one: one.value)
def lying(house: QueryHouse, request: pytest.FixtureRequest) -> Iterator[Lying]:
    """Where the samples lie that a test stores: an answer is the same wherever that is."""
    house.telemetry.lying = request.param
    yield request.param
    house.telemetry.lying = Lying.IN_ROWS

"""A database that holds telemetry's empty tables, and one query for all tests: each makes servers of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.databases import DatabaseServer
from tests.integration.ingest.schema import telemetry_template
from tests.integration.query.house import QueryHouse, query_house
from tests.integration.query.telemetry import Lying


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def telemetry_database(postgres: DatabaseServer) -> AsyncIterator[str]:
    """The name of a database that holds telemetry's tables."""
    async with postgres.database(template=await telemetry_template(postgres)) as name:
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

"""A fresh database with the schema `telemetry`, and an ingest over it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.databases import DatabaseServer
from tests.integration.ingest.house import IngestHouse, ingest_house
from tests.integration.ingest.schema import telemetry_template


@pytest_asyncio.fixture(loop_scope="session")
async def telemetry(postgres: DatabaseServer) -> AsyncIterator[str]:
    """The name of a fresh database."""
    async with postgres.database(template=await telemetry_template(postgres)) as name:
        yield name


@pytest_asyncio.fixture(loop_scope="session")
async def ingest(postgres: DatabaseServer, telemetry: str, redis_url: str) -> AsyncIterator[IngestHouse]:
    """An ingest of its own."""
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url) as house:
        yield house

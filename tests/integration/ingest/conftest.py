"""Databases with the schema `telemetry`, and ingests over them."""

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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_telemetry(postgres: DatabaseServer) -> AsyncIterator[str]:
    """The name of one database for all tests that leave it as it was."""
    async with postgres.database(template=await telemetry_template(postgres)) as name:
        yield name


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ingest(postgres: DatabaseServer, shared_telemetry: str, redis_url: str) -> AsyncIterator[IngestHouse]:
    """One ingest for all tests that leave it as it was: each makes servers of its own."""
    async with ingest_house(postgres=postgres, database=shared_telemetry, redis_url=redis_url) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(postgres: DatabaseServer, telemetry: str, redis_url: str) -> AsyncIterator[IngestHouse]:
    """An ingest and a database for a test that counts, locks or ends something."""
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url) as house:
        yield house

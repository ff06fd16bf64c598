"""One ingest for everything that is thrown at it, and a healthy agent beside."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.databases import DatabaseServer
from tests.fuzz.healthy import Healthy, beside
from tests.fuzz.ingest import Ingest, serving
from tests.integration.ingest.schema import telemetry_template


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ingest(
    postgres: DatabaseServer, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ingest]:
    """An ingest; when the tests of a module are over it lives, has answered every sample, and complained of nothing."""
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        serving(
            postgres=postgres, database=database, redis_url=redis_url, folder=tmp_path_factory.mktemp("fuzz")
        ) as ingest,
    ):
        yield ingest
        assert ingest.alive
        assert await ingest.unanswered() == 0
        assert ingest.complaints == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def healthy(ingest: Ingest) -> AsyncIterator[Healthy]:
    """An agent that streams all the time, and must not notice."""
    async with beside(ingest) as healthy:
        yield healthy

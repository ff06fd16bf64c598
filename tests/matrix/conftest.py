"""The house that the matrix is run against: real processes, with everybody in it before the first call."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from tests.databases import DatabaseServer
from tests.deployables import House, house, migrate
from tests.folders import reachable_folder
from tests.matrix.population import Population


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def inhabited(postgres: DatabaseServer, redis_url: str) -> AsyncIterator[tuple[House, Population]]:
    template = await postgres.template("flick_test_migrated", lambda url: migrate(url=url))
    async with postgres.database(template=template) as database:
        connection = await asyncpg.connect(postgres.url(database=database))
        population = Population(connection=connection)
        await population.settle()
        with reachable_folder() as folder:
            async with house(postgres=postgres, database=database, redis_url=redis_url, folder=folder) as running:
                population.signer = running.signer()
                yield running, population
        await connection.close()

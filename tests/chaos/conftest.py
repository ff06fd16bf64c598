"""Servers that a fault scenario has for itself, and may kill, freeze and fill."""

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.local.embedded.runtime import Runtime
from deploy.local.machine.account import Account
from tests.chaos.faults.own_postgres import OwnPostgres, own_postgres
from tests.chaos.faults.own_redis import OwnRedis, own_redis
from tests.folders import reachable_folder
from tests.integration.ingest.schema import telemetry_template


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mortal_postgres(runtime: Runtime, account: Account) -> AsyncIterator[OwnPostgres]:
    """A PostgreSQL that tests may kill, freeze and start with other settings; take it by `mortal_telemetry`."""
    with reachable_folder() as folder:
        async with own_postgres(runtime=runtime, account=account, folder=folder) as postgres:
            yield postgres


@pytest_asyncio.fixture(loop_scope="session")
async def mortal_telemetry(mortal_postgres: OwnPostgres) -> AsyncIterator[str]:
    """The name of a fresh database with the schema `telemetry` in `mortal_postgres`, which runs."""
    await mortal_postgres.heal()
    template = await telemetry_template(mortal_postgres.server)
    async with mortal_postgres.server.database(template=template) as name:
        yield name
        await mortal_postgres.heal()


@pytest_asyncio.fixture(loop_scope="session")
async def mortal_redis(runtime: Runtime, account: Account) -> AsyncIterator[OwnRedis]:
    """A running Redis that the test may kill, freeze, empty and fill."""
    with reachable_folder() as folder:
        async with own_redis(runtime=runtime, account=account, folder=folder) as redis:
            yield redis

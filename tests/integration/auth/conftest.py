"""A migrated database, and one auth for all tests: each makes people and organizations of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.databases import DatabaseServer
from tests.integration.auth.house import AuthHouse, Person, auth_house

MIGRATIONS = Path(__file__).parents[3] / "services/auth/migrations"


async def _migrate(url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flick.db.migrate", "--schema", "auth", "--directory", str(MIGRATIONS)),
        env={**os.environ, "FLICK_MIGRATE_DATABASE_URL": url},
    )
    assert await process.wait() == 0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def auth_template(postgres: DatabaseServer) -> str:
    """The name of a database that holds auth's empty tables."""
    return await postgres.template("flick_test_auth", _migrate)


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database(postgres: DatabaseServer, auth_template: str) -> AsyncIterator[str]:
    """The name of a fresh database with auth's empty tables."""
    async with postgres.database(template=auth_template) as name:
        yield name


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(
    postgres: DatabaseServer, auth_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AuthHouse]:
    """A running auth."""
    async with (
        postgres.database(template=auth_template) as database,
        auth_house(
            database_url=postgres.url(database=database, role="flick_auth"),
            owner_url=postgres.url(database=database),
            folder=tmp_path_factory.mktemp("auth"),
        ) as running,
    ):
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def owner(house: AuthHouse) -> Person:
    """Somebody who owns an organization."""
    return await house.person()

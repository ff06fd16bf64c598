"""Fixtures that every test may use: folders that an unprivileged account can reach, a real TimescaleDB, a real Redis.

FLICK_DATABASE_URL and FLICK_REDIS_URL, when set, name existing servers to use instead of the embedded ones.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

from deploy.local.embedded.runtime import Runtime
from deploy.local.machine.account import Account, database_account
from tests.databases import DatabaseServer
from tests.folders import reachable_folder
from tests.servers import fetched_runtime, new_passwords, postgres_server, redis_server

# How long an example takes says how loaded the machine is, not whether the code is right.
settings.register_profile("flick", deadline=None)
settings.load_profile("flick")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: fault scenarios in the form that `make chaos` runs."""
    parser.addoption("--long", action="store_true", help="run the fault scenarios in their long form")


@pytest.fixture(scope="session")
def long_form(request: pytest.FixtureRequest) -> bool:
    """Whether fault scenarios take their time."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def reachable_dir() -> Iterator[Path]:
    """An empty folder below which other accounts can be given folders: unlike `tmp_path` it is not mode 0700."""
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def account() -> Account:
    """The unprivileged account that the embedded servers run as."""
    return database_account()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def runtime() -> Runtime:
    """The unpacked TimescaleDB and Redis; fetched on the first run on this machine."""
    return await fetched_runtime()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(account: Account) -> AsyncIterator[DatabaseServer]:
    """A running PostgreSQL with TimescaleDB, durable as in production.

    `url(database=..., role=...)` gives addresses, `database(template=...)` fresh databases, and
    `template(name, prepare)` makes a migrated template once.
    """
    existing = os.environ.get("FLICK_DATABASE_URL")
    if existing:
        server = DatabaseServer(admin_url=existing, passwords=new_passwords())
        await server.start()
        yield server
        return
    async with postgres_server(account) as (server, _pid):
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres: DatabaseServer) -> AsyncIterator[str]:
    """The name of a fresh database with TimescaleDB and nothing else."""
    async with postgres.database() as name:
        yield name


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_url(account: Account) -> AsyncIterator[str]:
    """The address of a running Redis, shared by all tests: use key names of your own."""
    existing = os.environ.get("FLICK_REDIS_URL")
    if existing:
        yield existing
        return
    async with redis_server(account) as (url, _pid):
        yield url

"""Fixtures that every test may use: folders that an unprivileged account can reach, a real TimescaleDB, a real Redis.

FLICK_DATABASE_URL and FLICK_REDIS_URL, when set, name existing servers to use instead of the embedded ones.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.embedded import postgres as embedded_postgres
from deploy.local.embedded.database import OWNER, SERVICE_ROLES, answers
from deploy.local.embedded.postgres import SUPERUSER, Postgres
from deploy.local.embedded.redis import Redis
from deploy.local.embedded.runtime import Runtime, ensure_runtime
from deploy.local.machine.account import Account, database_account
from deploy.local.machine.folders import default_cache_dir
from deploy.local.machine.ports import free_port
from deploy.local.machine.process import end_group, spawn
from tests.databases import DatabaseServer
from tests.folders import reachable_folder

_START_WITHIN_S = 30.0


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


async def _fetched() -> Runtime:
    return await ensure_runtime(cache_dir=default_cache_dir(os.environ), progress=lambda _what, _part: None)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def runtime() -> Runtime:
    """The unpacked TimescaleDB and Redis; fetched on the first run on this machine."""
    return await _fetched()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(account: Account) -> AsyncIterator[DatabaseServer]:
    """A running PostgreSQL with TimescaleDB, durable as in production.

    `url(database=..., role=...)` gives addresses, `database(template=...)` fresh databases, and
    `template(name, prepare)` makes a migrated template once.
    """
    passwords = {role: secrets.token_urlsafe(24) for role in (OWNER, *SERVICE_ROLES)}
    existing = os.environ.get("FLICK_DATABASE_URL")
    if existing:
        server = DatabaseServer(admin_url=existing, passwords=passwords)
        await server.start()
        yield server
        return
    with reachable_folder() as folder:
        embedded = Postgres(
            runtime=await _fetched(),
            account=account,
            directory=folder / "postgres",
            socket_directory=folder / "run",
            port=free_port(),
            passwords={SUPERUSER: secrets.token_urlsafe(24)},
        )
        await embedded.prepare()
        admin_url = embedded.url(database="postgres")
        async with _running(
            embedded.command(),
            environment=embedded.environment(),
            account=account,
            stop_signal=embedded_postgres.STOP_SIGNAL,
            ready=lambda: answers(admin_url),
        ):
            server = DatabaseServer(admin_url=admin_url, passwords=passwords)
            await server.start()
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
    with reachable_folder() as folder:
        embedded = Redis(
            runtime=await _fetched(),
            account=account,
            directory=folder / "redis",
            port=free_port(),
            password=secrets.token_urlsafe(24),
        )
        await embedded.prepare()
        async with _running(
            embedded.command(),
            environment=embedded.environment(),
            account=account,
            stop_signal=signal.SIGTERM,
            ready=embedded.answers,
        ):
            yield embedded.url()


@asynccontextmanager
async def _running(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    account: Account,
    stop_signal: signal.Signals,
    ready: Callable[[], Awaitable[bool]],
) -> AsyncIterator[None]:
    process = await spawn(*command, environment=environment, account=account, directory=Path("/"))
    output = asyncio.create_task(_read(process))
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            while not await ready():
                if process.returncode is not None:
                    pytest.fail(f"{command[0]} ended with {process.returncode}: {await output}")
                await asyncio.sleep(0.05)
        yield
        process.send_signal(stop_signal)
        await asyncio.wait_for(process.wait(), timeout=10)
    finally:
        await end_group(process)
        await output


async def _read(process: asyncio.subprocess.Process) -> str:
    """Take the server's output, so that it never waits for a reader; return its end."""
    assert process.stdout is not None
    tail = ""
    async for line in process.stdout:
        tail = (tail + line.decode(errors="replace"))[-4000:]
    return tail

"""The embedded PostgreSQL and Redis as tests and benchmarks run them: durable as in production, gone afterwards."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.embedded import postgres as embedded_postgres
from deploy.local.embedded.database import OWNER, SERVICE_ROLES, answers
from deploy.local.embedded.postgres import SUPERUSER, Postgres
from deploy.local.embedded.redis import Redis
from deploy.local.embedded.runtime import Runtime, ensure_runtime
from deploy.local.machine.account import Account
from deploy.local.machine.folders import default_cache_dir
from deploy.local.machine.ports import free_port
from deploy.local.machine.process import end_group, spawn
from tests.databases import DatabaseServer
from tests.folders import reachable_folder

_START_WITHIN_S = 30.0


async def fetched_runtime() -> Runtime:
    """The unpacked TimescaleDB and Redis; fetched on the first run on this machine."""
    return await ensure_runtime(cache_dir=default_cache_dir(os.environ), progress=lambda _what, _part: None)


def new_passwords() -> dict[str, str]:
    """A password for every role that tests connect as."""
    return {role: secrets.token_urlsafe(24) for role in (OWNER, *SERVICE_ROLES)}


@asynccontextmanager
async def postgres_server(account: Account) -> AsyncIterator[tuple[DatabaseServer, int]]:
    """A PostgreSQL of one's own, and the number of its main process."""
    with reachable_folder() as folder:
        embedded = Postgres(
            runtime=await fetched_runtime(),
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
        ) as pid:
            server = DatabaseServer(admin_url=admin_url, passwords=new_passwords())
            await server.start()
            yield server, pid


@asynccontextmanager
async def redis_server(account: Account) -> AsyncIterator[tuple[str, int]]:
    """The address of a Redis of one's own, and the number of its process."""
    with reachable_folder() as folder:
        embedded = Redis(
            runtime=await fetched_runtime(),
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
        ) as pid:
            yield embedded.url(), pid


@asynccontextmanager
async def _running(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    account: Account,
    stop_signal: signal.Signals,
    ready: Callable[[], Awaitable[bool]],
) -> AsyncIterator[int]:
    process = await spawn(*command, environment=environment, account=account, directory=Path("/"))
    output = asyncio.create_task(_read(process))
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            while not await ready():
                if process.returncode is not None:
                    raise AssertionError(f"{command[0]} ended with {process.returncode}: {await output}")
                await asyncio.sleep(0.05)
        yield process.pid
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

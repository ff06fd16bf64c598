"""A Redis of one's own that may be killed, frozen, emptied and filled."""

import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redis.asyncio

from deploy.local.embedded.redis import Redis
from deploy.local.embedded.runtime import Runtime
from deploy.local.machine.account import Account
from deploy.local.machine.ports import free_port
from tests.chaos.faults.server import ServerProcess


class OwnRedis:
    """One server at the same address over all its lives. It keeps nothing when it ends, as in production."""

    def __init__(self, *, runtime: Runtime, account: Account, folder: Path) -> None:
        self._embedded = Redis(
            runtime=runtime,
            account=account,
            directory=folder / "redis",
            port=free_port(),
            password=secrets.token_urlsafe(24),
        )
        self.url = self._embedded.url()
        self.process = ServerProcess(
            command=self._embedded.command(),
            environment=self._embedded.environment(),
            account=account,
            log=folder / "redis.log",
            ready=self._embedded.answers,
            stop_signal=signal.SIGTERM,
        )

    async def start(self) -> float:
        """Start it; the moment when it is ready (monotonic clock)."""
        await self._embedded.prepare()
        await self.process.launch()
        return await self.process.becomes_ready()

    async def command(self, *words: str | bytes | int) -> Any:
        """One command and its answer, over a connection of its own."""
        client = redis.asyncio.Redis.from_url(self.url)
        try:
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()

    async def fill(self) -> None:
        """Let the memory that it has now be all that it may have: every write is refused, reads are answered."""
        await self.command("config", "set", "maxmemory", 1)

    async def widen(self) -> None:
        """Give it memory again."""
        await self.command("config", "set", "maxmemory", "128mb")


@asynccontextmanager
async def own_redis(*, runtime: Runtime, account: Account, folder: Path) -> AsyncIterator[OwnRedis]:
    """A running server; ended on leaving, in whatever state it is."""
    server = OwnRedis(runtime=runtime, account=account, folder=folder)
    await server.start()
    try:
        yield server
    finally:
        await server.process.stop()

"""Rings when PostgreSQL tells of a change of access, so that streams look at once instead of at their next turn.

Only a matter of speed: a ring that gets lost costs a stream at most the time until it looks anyway.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg

from flick.clock import Clock
from flick.db.pool import Connection
from flick.errors import FlickError
from flick.lifecycle import background

CHANNEL = "auth_access"  # as in migrations/0003
RETRY_S = 2.0

logger = logging.getLogger(__name__)


class Ring:
    """One ring, for whoever wants to wait for it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def sound(self) -> None:
        """Wake everybody who waits, now or later."""
        self._rung.set()

    async def wait(self, *, timeout_s: float) -> None:
        """Return when it has rung, or when the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()


class Bell:
    """Listens with a connection of its own, which `connect` opens."""

    def __init__(self, *, connect: Callable[[], Awaitable[Connection]], clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._ring = Ring()
        self.silenced = False

    def next_ring(self) -> Ring:
        """The ring that comes next."""
        return self._ring

    def ring(self) -> None:
        """Wake everybody who waits."""
        rung, self._ring = self._ring, Ring()
        rung.sound()

    def silence(self) -> None:
        """Send everybody home: streams end, so that the server can stop."""
        self.silenced = True
        self.ring()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Bell"]:
        """Ring at every change while entered."""
        async with background(self._run(), name="access-bell"):
            yield self

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (FlickError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("changes of access are not heard of at once", extra={"why": str(error)})
            await self._clock.sleep(RETRY_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, hides nothing

    async def _listen(self) -> None:
        connection = await self._connect()
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _connection: lost.set())
            await connection.add_listener(CHANNEL, lambda *_: self.ring())
            self.ring()  # whatever happened while nobody listened
            await lost.wait()
        finally:
            connection.terminate()

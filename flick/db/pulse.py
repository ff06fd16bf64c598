"""Whether the database still says anything: asked on a connection of its own, so that a frozen one is known at once.

Without it a call to a database that is stopped, and refuses nothing, would wait for its full time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import asyncpg

from flick.db.failures import LOST
from flick.errors import unavailable
from flick.lifecycle import end

EVERY_S = 0.5
WITHIN_S = 1.0  # with EVERY_S a caller waits 1.5 s at most, of the 2 s that it is promised
LOOKS = 10  # within that time: where this process itself gets no time they come late, and so the database is given more

Connect = Callable[[], "Awaitable[asyncpg.Connection[asyncpg.Record]]"]

logger = logging.getLogger(__name__)


class Pulse:
    """Asks `select 1` again and again. Only silence counts: a database that refuses to talk is known without it.

    Args:
        connect: makes the connection that it asks on.
    """

    def __init__(self, *, connect: Connect) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._silent = False
        self._calls: set[asyncio.Timeout] = set()

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            while True:
                self._note(silent=not await self._answers())
                await asyncio.sleep(EVERY_S)
        finally:
            self._drop()

    def check(self) -> None:
        """Raise UNAVAILABLE while the database is silent."""
        if self._silent:
            raise unavailable("The database does not answer now.", private="it has been silent")

    @contextmanager
    def cutting(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Let `limit` be over as soon as the database falls silent, while entered."""
        self._calls.add(limit)
        try:
            yield
        finally:
            self._calls.discard(limit)

    async def _answers(self) -> bool:
        """Whether an answer came in time, or an error, which is one too."""
        asking = asyncio.create_task(self._ask(), name="database-pulse-asking")
        try:
            for _ in range(LOOKS):
                await asyncio.wait({asking}, timeout=WITHIN_S / LOOKS)
                if asking.done():
                    return True
            self._drop()
            return False
        finally:
            await end(asking)

    async def _ask(self) -> None:
        try:
            if self._connection is None:
                self._connection = await self._connect()
            await self._connection.fetchval("select 1")
        except (*LOST, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._drop()

    def _note(self, *, silent: bool) -> None:
        if silent != self._silent:
            logger.warning("the database is silent" if silent else "the database answers again")
        self._silent = silent
        if silent:
            now_s = asyncio.get_running_loop().time()
            for limit in self._calls:
                with suppress(RuntimeError):  # it is over already
                    limit.reschedule(now_s)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

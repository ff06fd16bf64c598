"""One of several processes that do the same leads: the one that holds a lock in the database that they share."""

import logging
from collections.abc import Awaitable, Callable

import asyncpg

from flick.clock import Clock
from flick.db.pool import Connection
from flick.errors import FlickError

ASK_EVERY_S = 5.0  # how long nobody leads after a leader ended

# A leader whose machine is gone says nothing: PostgreSQL asks after 10 s, and gives up 15 s later.
_SETTINGS = "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3"
_FAILURES = (
    FlickError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError,
)  # fmt: skip

logger = logging.getLogger(__name__)


class Leader:
    """Leads, or waits for it.

    The lock belongs to a connection, and what a leader does is done on this connection: when it breaks, lock and work
    end together, so that two can't do the same at once, also when one of them does not know yet that it lost it.

    Args:
        name: of the lock.
        connect: makes the connection.
        told: called with whether this process leads, when that changes.
        clock: as everywhere.
        ask_every_s: how often the lock is asked for.
    """

    def __init__(
        self,
        *,
        name: str,
        connect: Callable[[], Awaitable[Connection]],
        told: Callable[[bool], None],
        clock: Clock,
        ask_every_s: float = ASK_EVERY_S,
    ) -> None:
        self._name = name
        self._connect = connect
        self._told = told
        self._clock = clock
        self._ask_every_s = ask_every_s
        self._failing = False

    async def run(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        """Call `work` whenever this process leads, until cancelled; `work` goes on until its connection fails."""
        while True:
            try:
                await self._lead(work)
            except _FAILURES as error:
                if not self._failing:
                    logger.warning("this process can't lead now", extra={"lock": self._name, "why": _why(error)})
                self._failing = True
            except Exception:  # a mistake of ours in one round is no reason that nobody works any more
                logger.exception("leader's work failed", extra={"lock": self._name})
            await self._clock.sleep(self._ask_every_s)

    async def _lead(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        connection = await self._connect()
        try:
            await connection.execute(_SETTINGS)
            while not await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", self._name):
                await self._clock.sleep(self._ask_every_s)
            logger.info("this process leads", extra={"lock": self._name})
            self._failing = False
            self._told(True)
            await work(connection)
        finally:
            self._told(False)
            connection.terminate()  # PostgreSQL rolls back and unlocks as soon as it sees that


def _why(error: Exception) -> str:
    return getattr(error, "private", "") or str(error) or type(error).__name__

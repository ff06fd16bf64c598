"""Retention: takes away what is older than it is to be kept, chunk by chunk."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import asyncpg

from flick.clock import Clock, utc
from flick.db.pool import Connection
from flick.errors import FlickError
from flick.v1 import access_pb2
from services.ingest.metrics import RetentionMetrics
from services.ingest.retention.lifetimes import Expiries, Lifetimes, expiries
from services.ingest.retention.store import RetentionStore

EVERY_S = 600.0
ROUND_S = 30.0  # then other duties are next

Servers = Callable[[], Awaitable[Sequence[access_pb2.ServerRetention]]]

logger = logging.getLogger(__name__)


class Retention:
    """Takes away blocks of samples, of processes and of rollups.

    Only of servers of which auth says how long they are kept, or that they are deleted: when it does not answer, or
    does not know a server, nothing goes. What is not rolled up yet does not go either, see `telemetry.expire`.

    Args:
        store: where blocks are.
        servers: tells how long the samples of every server are kept. Raises FlickError.
        lifetimes: of everything else.
        metrics, clock: as everywhere.
    """

    def __init__(
        self, *, store: RetentionStore, servers: Servers, lifetimes: Lifetimes, metrics: RetentionMetrics, clock: Clock
    ) -> None:
        self._store = store
        self._servers = servers
        self._lifetimes = lifetimes
        self._metrics = metrics
        self._clock = clock
        self._next_s = float("-inf")
        self._complete_s = clock.monotonic_s()

    async def work(self, connection: Connection) -> None:
        """A round of bounded length, every ten minutes; what is left after it goes in the next minute's.

        Raises asyncpg's errors when the connection is of no use any more.
        """
        began_s = self._clock.monotonic_s()
        if began_s < self._next_s:
            return
        if await self._round(connection, until_s=began_s + ROUND_S):
            self._complete_s, self._next_s = began_s, began_s + EVERY_S
        self._metrics.behind.set(began_s - self._complete_s)

    async def _round(self, connection: Connection, *, until_s: float) -> bool:
        """Whether everything is gone that was to go."""
        try:
            servers = await self._servers()
        except FlickError as error:
            self._metrics.failures.labels("auth").inc()
            logger.warning("nothing expires now: auth does not tell what", extra={"why": error.private or error.public})
            return False
        complete = True
        for table, of_table in expiries(servers, self._lifetimes, now=utc(self._clock)).items():
            for chunk in await self._store.chunks(connection, table, before=max(of_table.values())):
                complete = await self._expire(connection, table, chunk, of_table, until_s=until_s) and complete
        return complete

    async def _expire(
        self, connection: Connection, table: str, chunk: datetime, of_table: Expiries, *, until_s: float
    ) -> bool:
        """Take away what is over in a chunk. Returns whether all of that is gone."""
        gone, dropped = 0, False
        try:
            while (began_s := self._clock.monotonic_s()) < until_s:
                found = await self._store.expire(connection, table, chunk, of_table)
                took_s = self._clock.monotonic_s() - began_s
                self._metrics.seconds.observe(took_s)
                self._metrics.blocks.labels(table).inc(found.blocks)
                gone, dropped = gone + found.blocks, found.dropped
                if dropped or found.blocks < self._store.at_once:
                    return True
                await self._clock.sleep(took_s)  # half of the time belongs to those who send
        except asyncpg.LockNotAvailableError:  # somebody reads it: another time
            self._metrics.failures.labels("locked").inc()
        except asyncpg.PostgresError as error:
            if connection.is_closed():
                raise
            self._metrics.failures.labels("database").inc()
            logger.warning(
                "what is over stays for now",
                extra={"table": table, "chunk": chunk.isoformat(), "why": str(error) or type(error).__name__},
            )
        finally:
            if dropped:
                self._metrics.chunks.labels(table).inc()
            if gone:
                logger.info(
                    "what is over is gone",
                    extra={"table": table, "chunk": chunk.isoformat(), "count": gone, "dropped": dropped},
                )
        return False

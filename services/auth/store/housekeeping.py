"""Removes what nobody needs any more."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg

from flick.clock import Clock, utc
from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.errors import FlickError
from flick.lifecycle import background
from services.auth.store import QUERIES

SWEEP_EVERY_S = 600.0
KEEP_EXPIRED = timedelta(days=1)  # who comes late is still told why
KEEP_CHANGES = timedelta(minutes=10)  # a stream that lags more begins anew

_SQL = load_queries(QUERIES / "housekeeping.sql")

logger = logging.getLogger(__name__)


class Housekeeping:
    """Sweeps expired tokens, empty sessions and old changes out of PostgreSQL."""

    def __init__(self, *, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Housekeeping"]:
        """Sweep from time to time while entered."""
        async with background(self._run(), name="housekeeping"):
            yield self

    async def sweep(self) -> None:
        """Remove what has had its time. Any number of processes may do so at once."""
        expired_before = utc(self._clock) - KEEP_EXPIRED
        await self._pool.execute(_SQL["delete_expired_refresh_tokens"], expired_before)
        await self._pool.execute(_SQL["delete_empty_sessions"], expired_before)
        await self._pool.execute(_SQL["delete_expired_join_tokens"], expired_before)
        await self._pool.execute(_SQL["delete_old_changes"], KEEP_CHANGES)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep()
            except (FlickError, asyncpg.PostgresError) as error:
                logger.warning("sweeping failed; the next round tries again", extra={"why": str(error)})

"""The roller: makes the minutes of hours whose sealer did not, and takes hours into days and days into years."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeAlias

import asyncpg

from flick.clock import Clock, utc
from flick.db.pool import Connection
from services.ingest.aside import Aside
from services.ingest.metrics import RollupMetrics
from services.ingest.rollups.blocks import Rollup, RollupBlock, join_layouts, pack, unpack
from services.ingest.rollups.buckets import DAY_US, HOUR_US
from services.ingest.rollups.levels import DAYS, HOURS, MINUTES, Level, day_of
from services.ingest.rollups.minutes import pack_minutes
from services.ingest.rollups.store import Due, RollupStore
from services.ingest.sealing.blocks import SamplesBlock

ROUND_S = 30.0  # then other duties are next
ROLL_WITHIN_S = 30.0  # what is due of one server, which takes some 50 ms; a lock or a full machine may hold it up
LISTED = 200  # servers or hours; when they are done, the next ones are asked for

_Work: TypeAlias = Callable[[Connection, Due], Awaitable[None]]

logger = logging.getLogger(__name__)


class Roller:
    """Rolls up what is sealed and not in all levels yet.

    What is due stands in `telemetry.rollups_due`, written by the transaction that sealed it and taken out by the one
    that writes the last of its rollups: killed at any moment nothing is forgotten, and what is done again comes out the
    same.

    Args:
        store: where blocks are.
        aside: where the work is done that needs the processor.
        after_s: a UTC day is taken in so many seconds after its end, when its last hour is sealed.
        metrics, clock: as everywhere.
    """

    def __init__(
        self, *, store: RollupStore, aside: Aside, after_s: float, metrics: RollupMetrics, clock: Clock
    ) -> None:
        self._store = store
        self._aside = aside
        self._after_s = after_s
        self._metrics = metrics
        self._clock = clock

    async def work(self, connection: Connection) -> None:
        """One round, of bounded length. Raises asyncpg's errors and TimeoutError when nothing can be done now.

        What can't be rolled up by its own fault stays due, is counted and logged, and comes last from then on.
        """
        until_s = self._clock.monotonic_s() + ROUND_S
        before = day_of(utc(self._clock) - timedelta(seconds=self._after_s))
        await self._all(
            connection,
            lambda: self._store.without_minutes(connection, limit=LISTED),
            self._make_minutes,
            until_s=until_s,
        )
        await self._all(
            connection,
            lambda: self._store.outside_of_days(connection, before=before, limit=LISTED),
            self._take_in,
            until_s=until_s,
        )
        behind = await self._store.behind(connection, before=before)
        self._metrics.waiting.set(behind.count)
        self._metrics.oldest.set((utc(self._clock) - behind.oldest).total_seconds() if behind.oldest else 0.0)

    async def _all(
        self, connection: Connection, find: Callable[[], Awaitable[Sequence[Due]]], work: _Work, *, until_s: float
    ) -> None:
        """Do what is found until there is no more, or the round is over."""
        failed: set[Due] = set()
        while found := [one for one in await find() if one not in failed]:
            for due in found:
                began_s = self._clock.monotonic_s()
                if began_s >= until_s:
                    return
                try:
                    async with asyncio.timeout(ROLL_WITHIN_S), connection.transaction():
                        await work(connection, due)
                except (asyncpg.PostgresError, ValueError) as error:
                    if connection.is_closed():
                        raise
                    failed.add(due)
                    await self._note_failure(connection, due, error)
                took_s = self._clock.monotonic_s() - began_s
                self._metrics.seconds.observe(took_s)
                await self._clock.sleep(took_s)  # half of the time belongs to those who send

    async def _make_minutes(self, connection: Connection, due: Due) -> None:
        """Make the minutes of hours of what is sealed of them now."""
        for hour in due.hours:
            samples = await self._store.samples(connection, due.server_id, hour)
            if samples:
                blocks = await self._aside.run(_of_sealed, samples)
                await self._store.write(connection, MINUTES, due.server_id, hour, blocks)
                await self._store.note_hour(connection, due.server_id, hour, has_minutes=True)
                self._metrics.hours.inc()
            else:
                await self._store.forget(connection, due.server_id, [hour])

    async def _take_in(self, connection: Connection, due: Due) -> None:
        """Take hours into the days around them, and these into their years. What else these hold stays."""
        days: list[Rollup] = []
        for third, hours in groupby(due.hours, HOURS.span_start):
            parts: list[Rollup] = []
            for hour in hours:
                minutes = await self._store.blocks(connection, MINUTES, due.server_id, hour)
                parts += await self._aside.run(_gathered, minutes, HOUR_US)
            days += await self._put_in(connection, HOURS, due.server_id, third, parts, DAY_US)
        for year, of_year in groupby(days, lambda one: DAYS.span_start(one.first_time)):
            await self._put_in(connection, DAYS, due.server_id, year, list(of_year), DAY_US)
        await self._store.forget(connection, due.server_id, due.hours)
        self._metrics.taken_in.inc(len(due.hours))

    async def _put_in(
        self,
        connection: Connection,
        level: Level,
        server_id: uuid.UUID,
        span_start: datetime,
        parts: Sequence[Rollup],
        bucket_us: int,
    ) -> Sequence[Rollup]:
        """Put buckets into the blocks of a span, where they take the place of those of the same time.

        Returns what the blocks hold now in buckets of `bucket_us`.
        """
        if not parts:
            return []
        stored = await self._store.blocks(connection, level, server_id, span_start)
        blocks, coarser = await self._aside.run(_put_in, stored, parts, bucket_us)
        await self._store.write(connection, level, server_id, span_start, blocks)
        return coarser

    async def _note_failure(self, connection: Connection, due: Due, error: Exception) -> None:
        self._metrics.failures.inc()
        logger.warning(
            "hours can't be rolled up now",
            extra={
                "server_id": str(due.server_id),
                "hour": due.hours[0].isoformat(),
                "why": str(error) or type(error).__name__,
            },
        )
        await self._store.postpone(connection, due)


def _of_sealed(samples: Sequence[SamplesBlock]) -> list[RollupBlock]:
    return pack_minutes([one.part() for one in samples])


def _gathered(blocks: Sequence[RollupBlock], bucket_us: int) -> list[Rollup]:
    return [unpack(one).gather(bucket_us) for one in blocks]


def _put_in(
    stored: Sequence[RollupBlock], parts: Sequence[Rollup], bucket_us: int
) -> tuple[list[RollupBlock], list[Rollup]]:
    """What blocks become of which some buckets are new, and these in coarser buckets."""
    changed = {one.layout_id for one in parts}
    joined = join_layouts([*(unpack(one) for one in stored if one.layout_id in changed), *parts])
    return [pack(one) for one in joined], [one.gather(bucket_us) for one in joined]

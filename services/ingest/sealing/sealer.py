"""The sealer: moves the rows of hours that are over into blocks, and gives the empty chunks back."""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from flick.clock import Clock, utc
from flick.db.pool import Connection
from services.ingest.ledger.counts import Counts
from services.ingest.ledger.outcomes import Outcomes
from services.ingest.metrics import IngestMetrics
from services.ingest.sealing.blocks import SamplesBlock, SnapshotsBlock, seal_samples, seal_snapshots
from services.ingest.sealing.known import sort_out
from services.ingest.sealing.rows import Rows
from services.ingest.sealing.span import Span, over_until
from services.ingest.sealing.store import Chunks, SealStore

MOVE_WITHIN_S = 30.0  # one span, which takes some 50 ms; a lock or a full machine may hold it up
MAX_FAILURES = 10  # one after the other: then it is no single hour that is at fault, and the next round is soon enough

_Hour = tuple[uuid.UUID, datetime]

logger = logging.getLogger(__name__)


class RowsWentError(Exception):
    """A transaction took away other rows than it had read, which must not be; so it was rolled back."""


class Sealer:
    """Seals what is due, one server's hour after the other, each in a transaction of its own.

    A transaction reads rows, writes the blocks that hold them, and takes exactly these rows away: killed at any moment,
    every sample is either in its row or in a block. One process does it, on the connection that makes it the leader.

    Args:
        store: where the rows are.
        after_s: an hour is sealed so many seconds after it ended and after the last of its samples came, so that what
            comes late is mostly in the same block.
        metrics, clock: as everywhere.
    """

    def __init__(self, *, store: SealStore, after_s: float, metrics: IngestMetrics, clock: Clock) -> None:
        self._store = store
        self._counts = Counts()
        self._after_s = after_s
        self._metrics = metrics
        self._clock = clock
        self._failed: set[_Hour] = set()  # of the round before: they come last
        self._failures = 0  # one after the other

    async def work(self, connection: Connection) -> None:
        """One round: seal every hour that is due, then give back what is empty.

        Raises asyncpg's errors and TimeoutError when nothing can be done now. What can't be sealed by its own fault
        stays as it is, is counted and logged, and tried again in the next round.
        """
        over = over_until(utc(self._clock), after_s=self._after_s)
        self._failures, failed_before = 0, self._failed
        self._failed = set()
        oldest: datetime | None = None
        for chunks in await self._store.chunks(connection, before=over):
            empty = await self._seal_chunks(connection, chunks, over=over, last=failed_before)
            if not empty and oldest is None:
                oldest = chunks.start
        self._metrics.sealing.oldest.set((utc(self._clock) - oldest).total_seconds() if oldest else 0.0)

    async def _seal_chunks(self, connection: Connection, chunks: Chunks, *, over: datetime, last: set[_Hour]) -> bool:
        """Seal what is due of chunks, and give them back when they are empty. Returns whether no row is left."""
        end = min(chunks.end, over)
        since = utc(self._clock) - timedelta(seconds=self._after_s)
        due = await self._store.quiet(connection, chunks.start, end, since=since)
        await self._seal_hours(connection, sorted(due, key=lambda hour: hour in last))
        if await self._store.has_samples(connection, chunks.start, end):
            return False
        lone = await self._store.lone_snapshots(connection, chunks.start, end)
        await self._seal_hours(connection, lone)
        if chunks.end <= over:
            await self._give_back(connection, chunks)
        return True

    async def _seal_hours(self, connection: Connection, hours: Sequence[_Hour]) -> None:
        sealed = 0
        for hour in hours:
            if self._failures >= MAX_FAILURES:
                break
            began_s = self._clock.monotonic_s()
            try:
                await self._seal(connection, Span.of_hour(*hour))
            except (asyncpg.PostgresError, RowsWentError, ValueError) as error:
                if connection.is_closed():
                    raise
                self._note_failure(hour, error)
            else:
                self._failures = 0
                sealed += 1
            took_s = self._clock.monotonic_s() - began_s
            self._metrics.sealing.seconds.observe(took_s)
            await self._clock.sleep(took_s)  # half of the time belongs to those who send
        if sealed:
            logger.info("hours are sealed", extra={"count": sealed, "newest": hours[-1][1].isoformat()})

    async def _seal(self, connection: Connection, span: Span) -> None:
        async with asyncio.timeout(MOVE_WITHIN_S):
            fitted = await self._move(connection, span)
        if not fitted:
            for half in span.halves():
                await self._seal(connection, half)

    async def _move(self, connection: Connection, span: Span) -> bool:
        """Move the rows of a span into blocks; False: there are too many, and nothing was done."""
        # What is read, written and taken away is of one state: a row that comes meanwhile is in none of the three.
        async with connection.transaction(isolation="repeatable_read"):
            rows = await self._store.read(connection, span)
            if rows is None:
                return False
            if not rows:
                return True
            new, outcomes = rows, Outcomes()
            known = await self._store.known(connection, span)
            if known:
                new, outcomes = await asyncio.to_thread(sort_out, rows, known, server_id=span.server_id)
            samples, snapshots = await asyncio.to_thread(_blocks, new)
            await self._store.add(connection, span, samples=samples, snapshots=snapshots)
            removed = await self._store.remove(connection, span)
            if removed != (rows.sample_count, rows.snapshot_count):
                raise RowsWentError(
                    f"{removed} went of {rows.sample_count} samples and {rows.snapshot_count} snapshots"
                )
            await self._counts.add(connection, outcomes)
        self._metrics.sealing.samples.inc(new.sample_count)
        for key, count in outcomes.items():
            self._metrics.sealing.known.labels(key.outcome.value).inc(count)
        return True

    async def _give_back(self, connection: Connection, chunks: Chunks) -> None:
        for table in chunks.tables:
            try:
                await self._store.drop_empty_chunk(connection, table, chunks.start)
            except asyncpg.LockNotAvailableError:  # somebody reads it, or writes to the table for long: another time
                return

    def _note_failure(self, hour: _Hour, error: Exception) -> None:
        self._failures += 1
        self._failed.add(hour)
        self._metrics.sealing.failures.inc()
        logger.warning(
            "an hour can't be sealed now, its rows stay",
            extra={"server_id": str(hour[0]), "hour": hour[1].isoformat(), "why": str(error) or type(error).__name__},
        )


def _blocks(rows: Rows) -> tuple[list[SamplesBlock], list[SnapshotsBlock]]:
    return [seal_samples(one) for one in rows.samples], [seal_snapshots(one) for one in rows.snapshots]

"""The sealer: makes blocks of the rows of hours that are over, and gives their chunks back."""

import asyncio
import logging
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg

from flick.clock import Clock, utc
from flick.db.pool import Connection
from services.ingest.aside import Aside
from services.ingest.ledger.counts import Counts
from services.ingest.metrics import IngestMetrics
from services.ingest.rollups.blocks import RollupBlock, to_datetime
from services.ingest.rollups.levels import MINUTES
from services.ingest.rollups.minutes import pack_minutes
from services.ingest.rollups.store import RollupStore
from services.ingest.sealing.blocks import SamplesBlock, SnapshotsBlock, seal_samples, seal_snapshots
from services.ingest.sealing.known import Sorted, sort_out
from services.ingest.sealing.rows import Rows, Tally
from services.ingest.sealing.span import Span, hours_within, over_until
from services.ingest.sealing.store import Chunks, SealStore

SEAL_WITHIN_S = 30.0  # one span, which takes some 50 ms; a lock or a full machine may hold it up
MAX_FAILURES = 10  # one after the other: then it is no single hour that is at fault, and the next round is soon enough

_Hour = tuple[uuid.UUID, datetime]

logger = logging.getLogger(__name__)


class Sealer:
    """Seals what is due, one server's hour after the other, each in a transaction of its own.

    A transaction reads rows and writes the blocks that hold them. The rows stay, and whoever reads passes over them,
    until their whole chunk is in blocks and can go at once: taking them away one by one costs more than all the rest.
    Killed at any moment, every sample is in its row, in a block, or in both. One process does it, on the connection
    that makes it the leader.

    Args:
        store: where the rows are.
        rollups: where the minutes of sealed hours go.
        aside: where the work is done that needs the processor.
        after_s: an hour is sealed so many seconds after it ended and after the last of its samples came, so that what
            comes late is mostly in the same block.
        metrics, clock: as everywhere.
    """

    def __init__(
        self,
        *,
        store: SealStore,
        rollups: RollupStore,
        aside: Aside,
        after_s: float,
        metrics: IngestMetrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._rollups = rollups
        self._aside = aside
        self._counts = Counts()
        self._after_s = after_s
        self._metrics = metrics
        self._clock = clock
        # How many rows were found in blocks. Rows never change, so as many are the same ones, until their chunk goes.
        self._settled: dict[_Hour, Tally] = {}
        self._failed: set[_Hour] = set()  # of the round before: they come last
        self._failures = 0  # one after the other
        self._expiries: Mapping[uuid.UUID, datetime] = {}  # only the leader changes them, and not within a round

    async def work(self, connection: Connection) -> None:
        """One round: seal every hour that is due, then give back the chunks of which blocks hold everything.

        Raises asyncpg's errors and TimeoutError when nothing can be done now. What can't be sealed by its own fault
        stays as it is, is counted and logged, and tried again in the next round.
        """
        try:
            await self._round(connection)
        except BaseException:
            self._settled.clear()  # nobody knows whether a chunk went
            raise

    async def _round(self, connection: Connection) -> None:
        over = over_until(utc(self._clock), after_s=self._after_s)
        self._expiries = await self._rollups.expiries(connection)
        self._failures, failed_before = 0, self._failed
        self._failed = set()
        oldest: datetime | None = None
        for chunks in await self._store.chunks(connection, before=over):
            settled = await self._settle(connection, chunks, over=over, last=failed_before)
            if not settled and oldest is None:
                oldest = chunks.start
        self._metrics.sealing.oldest.set((utc(self._clock) - oldest).total_seconds() if oldest else 0.0)

    async def _settle(self, connection: Connection, chunks: Chunks, *, over: datetime, last: set[_Hour]) -> bool:
        """Seal what is due of chunks, and give them back when that is everything. Returns whether it is."""
        since = utc(self._clock) - timedelta(seconds=self._after_s)
        hours = list(hours_within(chunks.start, min(chunks.end, over)))
        waiting = False
        for hour in hours:
            present = await self._store.count_samples(connection, hour)
            due = [one for one, found in present.items() if found.samples != self._settled_rows(one, hour).samples]
            quiet = [one for one in due if present[one].received_at < since]
            await self._seal_hours(connection, sorted(((one, hour) for one in quiet), key=last.__contains__))
            waiting = waiting or len(quiet) < len(due) or any((one, hour) in self._failed for one in quiet)
        if not waiting and chunks.end <= over:
            waiting = not await self._give_back(connection, chunks, hours)
        return not waiting

    async def _give_back(self, connection: Connection, chunks: Chunks, hours: Collection[datetime]) -> bool:
        """Give chunks back of which all samples are in blocks. Returns whether blocks hold everything."""
        try:
            gone = await self._drop(connection, chunks, hours)
            if not gone and await self._seal_lone_snapshots(connection, hours):
                gone = await self._drop(connection, chunks, hours)
        except asyncpg.LockNotAvailableError:  # somebody reads them, or writes to a table for long: another time
            return True
        if gone:  # as many rows as before may be others now
            self._settled = {one: found for one, found in self._settled.items() if one[1] not in hours}
        return gone

    async def _drop(self, connection: Connection, chunks: Chunks, hours: Collection[datetime]) -> bool:
        rows = sum((found for (_, hour), found in self._settled.items() if hour in hours), Tally())
        return await self._store.drop_sealed_chunks(connection, chunks.start, rows)

    async def _seal_lone_snapshots(self, connection: Connection, hours: Collection[datetime]) -> bool:
        """Seal snapshots that have no samples, which are rare. Returns whether there were any."""
        lone: list[_Hour] = []
        for hour in hours:
            samples = await self._store.count_samples(connection, hour)
            for server_id, count in (await self._store.count_snapshots(connection, hour)).items():
                settled, present = self._settled_rows(server_id, hour), samples.get(server_id)
                if count != settled.snapshots and (present is None or present.samples == settled.samples):
                    lone.append((server_id, hour))
        await self._seal_hours(connection, lone)
        return bool(lone)

    def _settled_rows(self, server_id: uuid.UUID, hour: datetime) -> Tally:
        return self._settled.get((server_id, hour), Tally())

    async def _seal_hours(self, connection: Connection, hours: Sequence[_Hour]) -> None:
        sealed = 0
        for hour in hours:
            if self._failures >= MAX_FAILURES:
                self._failed.add(hour)
                continue
            began_s = self._clock.monotonic_s()
            try:
                self._settled[hour] = await self._seal(connection, Span.of_hour(*hour))
            except (asyncpg.PostgresError, ValueError) as error:
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

    async def _seal(self, connection: Connection, span: Span) -> Tally:
        """Seal a span; how many of its rows are in blocks now, which are all that there were."""
        async with asyncio.timeout(SEAL_WITHIN_S):
            settled = await self._seal_at_once(connection, span)
        if settled is None:
            settled = Tally()
            for half in span.halves():
                settled += await self._seal(connection, half)
        return settled

    async def _seal_at_once(self, connection: Connection, span: Span) -> Tally | None:
        """Seal a span; None: there is too much of it, and nothing was done."""
        async with connection.transaction(isolation="repeatable_read"):  # samples and snapshots are of one state
            rows = await self._store.read(connection, span)
            if rows is None:
                return None
            found = Sorted(new=rows)
            known = await self._store.known(connection, span)
            if known:
                found = await self._aside.run(sort_out, rows, known, server_id=span.server_id)
            samples, snapshots = await self._aside.run(_blocks, found.new)
            await self._store.add(connection, span, samples=samples, snapshots=snapshots)
            if samples:
                await self._roll_up(connection, span, found.new, alone=span.is_hour and not known.samples)
            settled = rows.tally
            if found.copies:
                settled -= await self._store.remove_copies(connection, span, [to_datetime(one) for one in found.copies])
            await self._counts.add(connection, found.outcomes)
        self._metrics.sealing.samples.inc(found.new.tally.samples)
        for key, count in found.outcomes.items():
            self._metrics.sealing.known.labels(key.outcome.value).inc(count)
        return settled

    async def _roll_up(self, connection: Connection, span: Span, new: Rows, *, alone: bool) -> None:
        """Make the minutes of an hour, if what is new is all of it; else the roller will."""
        expiry = self._expiries.get(span.server_id)
        if expiry is not None and span.hour < expiry:
            self._metrics.rollups.expired.inc()
            return
        if alone:
            minutes: list[RollupBlock] = await self._aside.run(pack_minutes, [one.part() for one in new.samples])
            await self._rollups.write(connection, MINUTES, span.server_id, span.hour, minutes)
            self._metrics.rollups.hours.inc()
        await self._rollups.note_hour(connection, span.server_id, span.hour, has_minutes=alone)

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

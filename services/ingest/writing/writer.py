"""The writer: joins the frames of all streams into one commit after the other, and tells their owners afterwards."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg

from flick.clock import Clock
from flick.errors import FlickError
from flick.v1 import ingest_pb2
from services.ingest.intake.admission import Admission
from services.ingest.intake.lanes import LaneId
from services.ingest.intake.overflows import Overflows
from services.ingest.intake.samples import Row
from services.ingest.ledger.outcomes import Outcomes
from services.ingest.metrics import IngestMetrics
from services.ingest.store import NotDurableError, Store, Written
from services.ingest.writing.condition import Condition, Trouble
from services.ingest.writing.frame import Frame
from services.ingest.writing.queue import LANES, FrameQueue

LINGER_S = 0.05  # lets frames of many agents share a commit; viewers have them already, only the ack waits
FULL_FRAMES = 2_000  # as many waiting frames are enough for a commit at once
# Of one commit: keeps it well below a second, and that of a backlog so short that live frames hardly wait for it.
MAX_SAMPLES = {ingest_pb2.LANE_LIVE: 20_000, ingest_pb2.LANE_BACKFILL: 2_000}
LAGS_OBSERVED = 8  # of one commit: 1.4 µs each, which every frame of a thousand agents would make felt
RETRY_BASE_S = 0.5
RETRY_GROWTH = 1.6
RETRY_CAP_S = 4.0  # how long after the database is back the first frame comes again

_DATA_FAULTS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)

logger = logging.getLogger(__name__)


class Writer:
    """Commits frames, those of each lane in the order in which they came, live ones first.

    Args:
        store: where they go.
        admission: gets the frames' room back.
        announce: told the rows of every commit.
        condition: told whether commits succeed.
        metrics, clock, rng: as everywhere.
    """

    def __init__(
        self,
        *,
        store: Store,
        admission: Admission,
        announce: Callable[[Sequence[Row]], None],
        condition: Condition,
        metrics: IngestMetrics,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._store = store
        self._admission = admission
        self._announce = announce
        self._condition = condition
        self._metrics = metrics
        self._clock = clock
        self._rng = rng
        self._queue = FrameQueue()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, frame: Frame) -> None:
        """Take a frame, whose room is admitted."""
        self._queue.put(frame)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Writer"]:
        """Write while entered; on leaving, what was taken is still written."""
        task = asyncio.create_task(self._run(), name="writer")
        try:
            yield self
        finally:
            while (len(self._queue) or not self._idle.is_set()) and not task.done():
                await self._clock.sleep(LINGER_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until no commit is under way."""
        await self._idle.wait()

    async def _run(self) -> None:
        while True:
            await self._queue.filled()
            if len(self._queue) < FULL_FRAMES:
                await self._clock.sleep(LINGER_S)
            self._metrics.commits.admitted_bytes.set(self._admission.admitted_bytes)
            for lane in LANES:  # a commit each: a backlog that is slow to store holds up nothing but itself
                await self._commit(lane)
            self._metrics.commits.admitted_bytes.set(self._admission.admitted_bytes)

    async def _commit(self, lane: LaneId) -> None:
        """Write the next frames of a lane. Those that nobody wants any more are let go."""
        self._idle.clear()
        try:
            taken = self._queue.take(lane, samples=MAX_SAMPLES[lane])
            frames = []
            for frame in taken:
                if frame.owner.wants(frame.place):
                    frames.append(frame)
                else:
                    self._let_go(frame)
            await self._flush(frames)
        finally:
            self._idle.set()

    def _let_go(self, frame: Frame) -> None:
        self._metrics.samples.discarded.labels("not_wanted").inc(frame.samples)
        self._release(frame)

    async def _flush(self, frames: Sequence[Frame]) -> None:
        if not frames:
            return
        try:
            written = await self._write(frames)
        except _DATA_FAULTS as error:
            await self._isolate(frames, error)
        except (FlickError, NotDurableError, asyncpg.PostgresError, OSError, TimeoutError) as error:
            self._return(frames, error)
        except Exception as error:  # whatever it is, the writer must live: agents send again
            logger.exception("commit failed")
            self._return(frames, error)
        else:
            self._succeed(frames, written)

    async def _write(self, frames: Sequence[Frame]) -> Written:
        rows = [row for frame in frames for row in frame.rows]
        gaps = [gap for frame in frames for gap in frame.gaps]
        outcomes = Outcomes()
        for frame in frames:
            if frame.rejections.counts or frame.overflows.counts:
                outcomes.update(frame.outcomes())
        if not rows and not gaps and not outcomes:
            return Written(stored=0)
        with self._metrics.commits.seconds.time():
            return await self._store.write(rows, gaps, outcomes)

    async def _isolate(self, frames: Sequence[Frame], error: Exception) -> None:
        """A row can't be stored: find its frame by writing each alone, so that no other frame suffers."""
        if len(frames) > 1:
            for frame in frames:
                if frame.owner.wants(frame.place):
                    await self._flush([frame])
                else:  # a frame before it in its lane was returned
                    self._let_go(frame)
            return
        (frame,) = frames
        if not frame.rows and not frame.gaps:  # nothing of the agent's is left that could be at fault
            self._return(frames, error)
            return
        logger.error("a frame can't be stored", extra={"why": str(error), "seq": frame.place.seq})
        frame.rejections.add(
            ingest_pb2.REJECTION_REASON_MALFORMED, "The database can't store this frame.", count=len(frame.rows)
        )
        frame.rows, frame.gaps, frame.overflows = (), (), Overflows()
        await self._flush(frames)  # which counts what was refused

    def _succeed(self, frames: Sequence[Frame], written: Written) -> None:
        self._condition.succeeded()
        rows = [row for frame in frames for row in frame.rows]
        self._metrics.samples.stored.inc(written.stored)
        self._metrics.samples.duplicate.inc(max(0, len(rows) - written.stored - len(written.conflicts)))
        self._metrics.commits.samples.observe(len(rows))
        self._note_conflicts(frames, written.conflicts)
        self._observe_lag(frames)
        for frame in frames:
            for gap in frame.gaps:
                self._metrics.samples.gaps.labels(_gap_reason(gap.reason)).inc()
            frame.owner.committed(frame.place, frame.rejections, frame.overflows)
            self._release(frame)
        self._announce([row for position, row in enumerate(rows) if position not in written.conflicts])

    def _note_conflicts(self, frames: Sequence[Frame], conflicts: frozenset[int]) -> None:
        position = 0
        for frame in frames:
            for row in frame.rows if conflicts else ():
                if position in conflicts:
                    frame.rejections.add(
                        ingest_pb2.REJECTION_REASON_CONFLICT,
                        f"time_unix_nano {row.sample.time_unix_nano} is stored with other content. "
                        "Every sample of a server needs a time of its own.",
                    )
                position += 1

    def _observe_lag(self, frames: Sequence[Frame]) -> None:
        live = [frame for frame in frames if frame.rows and frame.place.lane == ingest_pb2.LANE_LIVE]
        now_ns = self._clock.time_unix_nano()
        for frame in live[:: -(-len(live) // LAGS_OBSERVED) or 1]:
            self._metrics.commits.lag.observe((now_ns - frame.rows[-1].sample.time_unix_nano) / 1e9)

    def _return(self, frames: Sequence[Frame], error: Exception) -> None:
        cap_s = min(RETRY_CAP_S, RETRY_BASE_S * RETRY_GROWTH ** min(self._condition.failures, 10))
        reason = "not_durable" if self._condition.failed(error) is Trouble.NOT_DURABLE else "database"
        for frame in frames:
            self._metrics.samples.returned.labels(reason).inc(frame.samples)
            frame.owner.returned(frame.place, delay_s=self._rng.uniform(cap_s / 2, cap_s))
            self._release(frame)

    def _release(self, frame: Frame) -> None:
        self._admission.release(frame.room_bytes)


def _gap_reason(number: int) -> str:
    try:
        return ingest_pb2.GapReason.Name(ingest_pb2.GapReason.ValueType(number)).removeprefix("GAP_REASON_").lower()
    except ValueError:  # a reason of a later version
        return "other"

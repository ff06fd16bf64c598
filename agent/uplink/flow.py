"""What may be sent next on one stream: the spool's frames within the credits that ingest gave. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.spool.frame import BACKFILL, LIVE, Frame, Lane
from agent.spool.spool import Spool, UnknownSeqError
from flick.clock import Clock
from flick.v1 import ingest_pb2, telemetry_pb2

_NS = 1_000_000_000
BACKFILL_SAMPLES_PER_S = 120.0  # a day of samples every 5 s drains in two and a half minutes


@dataclass(slots=True)
class _Cursor:
    """Where a lane stands on this stream. `unacked` has the size in bytes of each frame that is on its way."""

    next: int
    unacked: dict[int, int] = field(default_factory=dict)
    paused_until_s: float = 0.0


class Flow:
    """Live frames go first; the backlog takes at most half of the credits, and has a pace of its own."""

    def __init__(self, *, spool: Spool, clock: Clock, max_batches: int, max_bytes: int) -> None:
        self._spool = spool
        self._spool_id = spool.spool_id
        self._clock = clock
        self._max_batches = max(1, max_batches)
        self._max_bytes = max_bytes
        self._lanes = {lane: _Cursor(next=spool.position(lane)) for lane in (LIVE, BACKFILL)}
        self._declared: dict[int, tuple[Lane, int] | None] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not any(cursor.unacked for cursor in self._lanes.values())

    @property
    def stale(self) -> bool:
        """Whether the spool's sequences are others now, so that this stream can't go on."""
        return self._spool.spool_id != self._spool_id

    @property
    def largest(self) -> tuple[Lane, int] | None:
        """Lane and seq of the largest frame that is on its way."""
        sizes = [(size, lane, seq) for lane, cursor in self._lanes.items() for seq, size in cursor.unacked.items()]
        return max(sizes)[1:] if sizes else None

    def next(self, lane: Lane) -> ingest_pb2.StreamTelemetryRequest | None:
        """The lane's next frame, which then counts as sent; None when there is none or it may not be sent yet."""
        cursor = self._lanes[lane]
        if self.stale or self._clock.monotonic_s() < cursor.paused_until_s or not self._has_credit(lane):
            return None
        frame = self._spool.frame(lane, cursor.next)
        if frame is None:
            return None
        message = self._message(frame)
        size = message.ByteSize()
        in_flight = sum(sum(other.unacked.values()) for other in self._lanes.values())
        if in_flight and in_flight + size > self._max_bytes:
            return None
        cursor.unacked[frame.seq] = size
        cursor.next = frame.seq + 1
        for layout in message.metric_batch.layouts:
            self._declared[layout.layout_id] = (lane, frame.seq)
        if lane == BACKFILL:
            cursor.paused_until_s = self._clock.monotonic_s() + max(1, len(frame.entries)) / BACKFILL_SAMPLES_PER_S
        return message

    def ready_in_s(self) -> float | None:
        """In how many seconds a lane that must wait now may go on; None when none waits for a moment."""
        now_s = self._clock.monotonic_s()
        waits = [cursor.paused_until_s - now_s for cursor in self._lanes.values() if cursor.paused_until_s > now_s]
        return min(waits, default=None)

    def declare(self, layout: telemetry_pb2.Layout) -> list[telemetry_pb2.Layout]:
        """The layout, if a batch for viewers must declare it."""
        if layout.layout_id in self._declared:
            return []
        self._declared[layout.layout_id] = None
        return [layout]

    def acked(self, lane: Lane, seq: int) -> None:
        """Ingest committed the lane up to `seq`. Raises UnknownSeqError when that was not sent on this stream."""
        cursor = self._cursor(lane)
        if seq >= cursor.next:
            raise UnknownSeqError(f"frame {seq} was never sent; the next would be {cursor.next}")
        if not self.stale:
            self._spool.ack(lane, seq)
        cursor.unacked = {other: size for other, size in cursor.unacked.items() if other > seq}

    def retry_after(self, lane: Lane, seq: int, delay_s: float) -> None:
        """Ingest did not take the lane's frames from `seq` on: send them again after `delay_s`.

        Raises UnknownSeqError when `seq` was not sent on this stream.
        """
        cursor = self._cursor(lane)
        if seq >= cursor.next:
            raise UnknownSeqError(f"frame {seq} was never sent; the next would be {cursor.next}")
        if seq not in cursor.unacked:  # acked since
            return
        cursor.next = seq
        cursor.unacked = {other: size for other, size in cursor.unacked.items() if other < seq}
        cursor.paused_until_s = self._clock.monotonic_s() + delay_s
        # What the refused frames declared may have been refused with them.
        self._declared = {
            layout_id: place
            for layout_id, place in self._declared.items()
            if place is None or place[0] != lane or place[1] < seq
        }

    def _cursor(self, lane: Lane) -> _Cursor:
        if lane not in self._lanes:
            raise UnknownSeqError(f"there is no lane {lane}")
        return self._lanes[lane]

    def _has_credit(self, lane: Lane) -> bool:
        on_their_way = sum(len(cursor.unacked) for cursor in self._lanes.values())
        if lane == BACKFILL and len(self._lanes[lane].unacked) >= max(1, self._max_batches // 2):
            return False
        return on_their_way < self._max_batches

    def _message(self, frame: Frame) -> ingest_pb2.StreamTelemetryRequest:
        if frame.loss is not None:
            return ingest_pb2.StreamTelemetryRequest(gap=_gap(frame))
        batch = ingest_pb2.MetricBatch(lane=frame.lane, seq=frame.seq)
        batch.layouts.extend(self._undeclared(entry.layout_id for entry in frame.entries))
        for entry in frame.entries:
            sample = batch.samples.add()
            sample.ParseFromString(entry.payload)
            sample.time_unix_nano = entry.time_ns
            sample.layout_id = entry.layout_id
        return ingest_pb2.StreamTelemetryRequest(metric_batch=batch)

    def _undeclared(self, layout_ids: Iterable[int]) -> list[telemetry_pb2.Layout]:
        wanted = dict.fromkeys(layout_id for layout_id in layout_ids if layout_id)
        return [self._spool.layout(layout_id) for layout_id in wanted if layout_id not in self._declared]


def _gap(frame: Frame) -> ingest_pb2.Gap:
    loss = frame.loss
    assert loss is not None
    gap = ingest_pb2.Gap(lane=frame.lane, seq=frame.seq, reason=loss.reason, dropped_samples=loss.dropped)
    gap.start_time.FromNanoseconds(loss.start_ns)
    gap.end_time.FromNanoseconds(loss.end_ns)
    return gap

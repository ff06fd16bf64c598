"""A spool in memory: what it holds is lost when the process ends."""

import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from agent.collectors.collector import SeriesKey
from agent.spool.frame import BACKFILL, LIVE, Entry, Frame, Lane, Loss
from agent.spool.layouts import Layouts
from agent.spool.spool import SpoolCounts, UnknownSeqError
from flick.v1 import ingest_pb2, telemetry_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """Bounds of a spool.

    Args:
        max_bytes: of samples that wait. Default 8 MiB: five to eight hours at one sample in 5 s.
        live_samples: how many wait for the live lane; older ones wait for the backfill lane. Default 12: a minute.
        frame_samples: how many a frame holds. Default 60.
        frame_bytes: of samples in a frame, unless a single one is larger. Default 256 KiB; the contract allows 4 MiB.
        losses: how many separate spans of loss are kept apart. Default 100.
    """

    max_bytes: int = 8 * 1024 * 1024
    live_samples: int = 12
    frame_samples: int = 60
    frame_bytes: int = 256 * 1024
    losses: int = 100


@dataclass(slots=True)
class _Sent:
    """A lane's frames that were handed out and not acked."""

    first: int = 1
    frames: deque[Frame] = field(default_factory=deque)

    @property
    def next(self) -> int:
        return self.first + len(self.frames)

    def index(self, seq: int) -> int:
        if not self.first <= seq < self.next:
            raise UnknownSeqError(f"frame {seq} is not among {self.first} to {self.next - 1}")
        return seq - self.first


class MemorySpool:
    """See `Spool`. Beside `limits.max_bytes` it holds what is unacked, which the stream's credits bound."""

    def __init__(self, *, spool_id: uuid.UUID, limits: SpoolLimits | None = None) -> None:
        self.spool_id = str(spool_id)
        self.counts = SpoolCounts()
        self._limits = limits or SpoolLimits()
        self._waiting: deque[Entry] = deque()
        self._waiting_bytes = 0
        self._live = 0  # how many at the end of _waiting wait for the live lane
        self._losses: deque[Loss] = deque()  # all of them older than what waits
        self._sent = {LIVE: _Sent(), BACKFILL: _Sent()}
        self._layouts = Layouts()
        self._last: Entry | None = None

    def put(self, entry: Entry) -> None:
        """See `Spool`."""
        if self._last is not None:
            self._last.until_ns = entry.time_ns
        if self._losses and not self._losses[-1].end_ns:
            self._losses[-1].end_ns = entry.time_ns
        self._last = entry
        self._waiting.append(entry)
        self._waiting_bytes += len(entry.payload)
        self._live = min(self._live + 1, self._limits.live_samples)
        self.counts.taken += 1
        while self._waiting_bytes > self._limits.max_bytes:
            self._drop_oldest()

    def frame(self, lane: Lane, seq: int) -> Frame | None:
        """See `Spool`."""
        sent = self._sent[lane]
        if seq != sent.next:
            return sent.frames[sent.index(seq)]
        if lane == BACKFILL and self._losses and self._losses[0].end_ns:
            made = Frame(lane, seq, loss=self._losses.popleft())
        else:
            entries = self._take_live() if lane == LIVE else self._take_oldest(len(self._waiting) - self._live)
            if not entries:
                return None
            made = Frame(lane, seq, entries=tuple(entries))
        sent.frames.append(made)
        return made

    def position(self, lane: Lane) -> int:
        """See `Spool`."""
        return self._sent[lane].first

    def ack(self, lane: Lane, seq: int) -> None:
        """See `Spool`."""
        sent = self._sent[lane]
        if seq >= sent.next:
            raise UnknownSeqError(f"frame {seq} was never sent; the last was {sent.next - 1}")
        while sent.first <= seq:
            self.counts.acked += len(sent.frames.popleft().entries)
            sent.first += 1

    def refuse(self, lane: Lane, seq: int) -> None:
        """See `Spool`."""
        sent = self._sent[lane]
        index = sent.index(seq)
        refused = sent.frames[index]
        if refused.loss is not None:
            return
        first, last = refused.entries[0], refused.entries[-1]
        loss = Loss(
            start_ns=first.time_ns,
            end_ns=last.until_ns or last.time_ns + 1,
            reason=ingest_pb2.GAP_REASON_REFUSED,
            dropped=len(refused.entries),
        )
        sent.frames[index] = replace(refused, entries=(), loss=loss)
        self.counts.refused += loss.dropped

    def demote(self) -> None:
        """See `Spool`."""
        self._live = 0

    def move(self, by_ns: int) -> None:
        """See `Spool`."""
        for entry in self._waiting:
            sample = telemetry_pb2.Sample.FromString(entry.payload)
            entry.time_ns = sample.time_unix_nano = max(1, entry.time_ns + by_ns)
            entry.payload = sample.SerializeToString()
            entry.until_ns = entry.until_ns and max(0, entry.until_ns + by_ns)
        for loss in self._losses:
            loss.start_ns = max(0, loss.start_ns + by_ns)
            loss.end_ns = loss.end_ns and max(0, loss.end_ns + by_ns)

    def held(self) -> int:
        """See `Spool`."""
        return sum(1 for _ in self._entries())

    def layout_id(self, series: tuple[SeriesKey, ...]) -> int:
        """See `Spool`."""
        if self._layouts.crowded:
            self._layouts.forget_unused(entry.layout_id for entry in self._entries())
        return self._layouts.id_of(series)

    def layout(self, layout_id: int) -> telemetry_pb2.Layout:
        """See `Spool`."""
        return self._layouts[layout_id]

    def _entries(self) -> Iterator[Entry]:
        yield from self._waiting
        for sent in self._sent.values():
            for frame in sent.frames:
                yield from frame.entries

    def _take_oldest(self, most: int) -> list[Entry]:
        taken: list[Entry] = []
        size = 0
        while len(taken) < min(most, self._limits.frame_samples):
            size += len(self._waiting[0].payload)
            if taken and size > self._limits.frame_bytes:
                break
            taken.append(self._waiting.popleft())
            self._waiting_bytes -= len(taken[-1].payload)
        return taken

    def _take_live(self) -> list[Entry]:
        older = len(self._waiting) - self._live
        self._waiting.rotate(-older)
        taken = self._take_oldest(self._live)
        self._live -= len(taken)
        self._waiting.rotate(older)
        return taken

    def _drop_oldest(self) -> None:
        entry = self._waiting.popleft()
        self._waiting_bytes -= len(entry.payload)
        self._live = min(self._live, len(self._waiting))
        self.counts.dropped += 1
        last = self._losses[-1] if self._losses else None
        if last is None or (last.end_ns != entry.time_ns and len(self._losses) < self._limits.losses):
            last = Loss(entry.time_ns, 0, ingest_pb2.GAP_REASON_SPOOL_FULL, 0)
            self._losses.append(last)
        last.end_ns = entry.until_ns
        last.dropped += 1

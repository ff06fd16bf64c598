"""What a simulated agent holds: samples that wait, and the frames of each lane that they became. No I/O.

Written after the contract and not after the agent's spool, so that the two check each other.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flick.v1 import ingest_pb2
from tests.chaos.load.samples import Measured

LIVE, BACKFILL = ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL
LANES = (LIVE, BACKFILL)

LIVE_BATCHES = 12  # what waits longer than so many batches is backlog
BACKFILL_SAMPLES = 60  # of one frame
MOST_WAITING = 5_000  # samples: 83 minutes of base load; what comes on top drives out the oldest, counted


@dataclass(frozen=True, slots=True)
class Batch:
    """A place in a lane and the samples that stand there for good."""

    lane: ingest_pb2.Lane.ValueType
    seq: int
    samples: tuple[Measured, ...]


@dataclass(slots=True)
class _Lane:
    first: int = 1
    batches: deque[Batch] = field(default_factory=deque)


class Held:
    """Everything that is not acked."""

    def __init__(self) -> None:
        self.dropped = 0
        self._fresh: deque[Sequence[Measured]] = deque()
        self._backlog: deque[Measured] = deque()
        self._lanes = {lane: _Lane() for lane in LANES}

    @property
    def empty(self) -> bool:
        """Whether everything is acked."""
        return not (self._fresh or self._backlog or any(lane.batches for lane in self._lanes.values()))

    def put(self, samples: Sequence[Measured]) -> None:
        """Take a new batch of samples."""
        self._fresh.append(samples)
        if len(self._fresh) > LIVE_BATCHES:
            self._backlog.extend(self._fresh.popleft())
        self._limit()

    def put_late(self, sample: Measured) -> None:
        """Take a sample that is backlog from the beginning."""
        self._backlog.append(sample)
        self._limit()

    def demote(self) -> None:
        """Let everything that waits be backlog, as when a stream begins."""
        while self._fresh:
            self._backlog.extend(self._fresh.popleft())

    def position(self, lane: ingest_pb2.Lane.ValueType) -> int:
        """The seq of the lane's first unacked batch, or of its next."""
        return self._lanes[lane].first

    def batch(self, lane: ingest_pb2.Lane.ValueType, seq: int) -> tuple[Batch | None, bool]:
        """The batch at `seq`, made of what waits when it is the next one, or None; and whether it is new."""
        state = self._lanes[lane]
        index = seq - state.first
        if index < len(state.batches):
            return state.batches[index], False
        samples = self._take(lane)
        if not samples:
            return None, False
        state.batches.append(Batch(lane, seq, tuple(samples)))
        return state.batches[-1], True

    def ack(self, lane: ingest_pb2.Lane.ValueType, seq: int) -> list[Batch]:
        """Forget the lane's batches up to `seq`; returns them."""
        state = self._lanes[lane]
        acked = []
        while state.batches and state.first <= seq:
            acked.append(state.batches.popleft())
            state.first += 1
        return acked

    def _limit(self) -> None:
        while len(self._backlog) > MOST_WAITING:
            self._backlog.popleft()
            self.dropped += 1

    def _take(self, lane: ingest_pb2.Lane.ValueType) -> Iterable[Measured]:
        if lane == LIVE:
            return self._fresh.popleft() if self._fresh else ()
        return [self._backlog.popleft() for _ in range(min(BACKFILL_SAMPLES, len(self._backlog)))]

"""What the agent asks of a spool, whether it is kept in memory or on disk."""

from dataclasses import dataclass
from typing import Protocol

from agent.collectors.collector import SeriesKey
from agent.spool.frame import Entry, Frame, Lane
from flick.v1 import telemetry_pb2


class UnknownSeqError(ValueError):
    """Ingest speaks of a frame that was never sent."""


@dataclass(slots=True)
class SpoolCounts:
    """What became of samples: taken = acked + dropped + refused + those still held."""

    taken: int = 0
    acked: int = 0
    dropped: int = 0
    refused: int = 0


class Spool(Protocol):
    """Two lanes of frames, each with a contiguous sequence, before them what waits in the order of time.

    The newest samples wait for the live lane; those that it could not take in time, and all that wait when a stream
    begins, wait for the backfill lane. A frame that was handed out keeps its lane, seq and content until it is acked.
    """

    spool_id: str
    counts: SpoolCounts

    def put(self, entry: Entry) -> None:
        """Take a sample, later than every one before. When there is no room, the oldest that wait become a loss."""
        ...

    def frame(self, lane: Lane, seq: int) -> Frame | None:
        """The frame at `seq`, made of what waits when it is the lane's next; None when nothing waits for the lane.

        Raises UnknownSeqError when `seq` is neither held nor next.
        """
        ...

    def position(self, lane: Lane) -> int:
        """The seq of the lane's oldest unacked frame, or of its next."""
        ...

    def ack(self, lane: Lane, seq: int) -> None:
        """Forget the lane's frames up to `seq`. Raises UnknownSeqError when that was never handed out."""
        ...

    def refuse(self, lane: Lane, seq: int) -> None:
        """Put a loss in the place of a frame that ingest can never take. Raises UnknownSeqError."""
        ...

    def demote(self) -> None:
        """Let everything that waits wait for the backfill lane."""
        ...

    def move(self, by_ns: int) -> None:
        """Move the times of everything that waits. What was handed out stays."""
        ...

    def held(self) -> int:
        """How many samples are held, waiting or unacked."""
        ...

    def layout_id(self, series: tuple[SeriesKey, ...]) -> int:
        """The number by which samples name this set of series; 0 for the empty one."""
        ...

    def layout(self, layout_id: int) -> telemetry_pb2.Layout:
        """The layout of that number, as long as a held sample uses it or it is the newest."""
        ...

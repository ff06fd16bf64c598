"""What the agent asks of a spool, whether it is kept in memory or on disk."""

from typing import Protocol

from agent.collectors.collector import SeriesKey
from agent.spool.epochs import Mark
from agent.spool.frame import Entry, Frame, Lane, Reason
from flick.v1 import ingest_pb2, servers_pb2, telemetry_pb2


class UnknownSeqError(ValueError):
    """Ingest speaks of a frame that was never sent."""


class Spool(Protocol):
    """Two lanes of frames, each with a contiguous sequence, before them what waits in the order of time.

    The newest samples wait for the live lane; those that it could not take in time, and all that wait when a stream
    begins, wait for the backfill lane, which takes the newest of them first. A frame that was handed out keeps its
    lane, seq and content until it is acked.
    """

    @property
    def spool_id(self) -> str:
        """Names the sequences. When it changes, they are others: the stream that spoke of them is to end."""
        ...

    @property
    def mark(self) -> Mark | None:
        """How the clock was set when samples were last put; None for a new spool."""
        ...

    @property
    def last_ns(self) -> int:
        """The last sample's time; 0 when there was none."""
        ...

    @property
    def settings(self) -> servers_pb2.ServerSettings | None:
        """The server's settings as they were kept last, over restarts as well; None before the first time."""
        ...

    def keep_settings(self, settings: servers_pb2.ServerSettings) -> None:
        """Keep what an agent that starts without a stream is to go by."""
        ...

    def begin(self, mark: Mark) -> None:
        """Samples that follow carry times by this clock, to be moved by `settle` if it is not corrected yet."""
        ...

    def settle(self, mark: Mark, *, moved_ns: int, now_ns: int) -> None:
        """The clock is corrected: move the samples taken by it before, and what an earlier one left, in their order.

        Args:
            mark: how the clock is set now.
            moved_ns: by how much it was moved.
            now_ns: what it says now; samples of an earlier clock that was never corrected come before that.
        """
        ...

    def put(self, entry: Entry) -> None:
        """Take a sample, later than every one before. When there is no room, the oldest that wait become a loss."""
        ...

    def lose(self, reason: Reason, *, start_ns: int | None = None) -> None:
        """Tell a gap from `start_ns`, by default from the last sample, to the next sample."""
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
        """Ingest can't take this frame. After the third time a gap takes its place. Raises UnknownSeqError."""
        ...

    def split(self, lane: Lane, seq: int) -> None:
        """This frame is too large: keep half of it there, and give the rest a frame in the backfill lane.

        What can't be split, or was already, is replaced by a gap. Raises UnknownSeqError.
        """
        ...

    def demote(self) -> None:
        """Let everything that waits wait for the backfill lane."""
        ...

    def held(self) -> int:
        """How many samples are held, waiting or unacked."""
        ...

    def status(self) -> ingest_pb2.SpoolStatus:
        """How it stands: taken = acked + dropped + refused + corrupt + held, since it was made."""
        ...

    def layout_id(self, series: tuple[SeriesKey, ...]) -> int:
        """The number by which samples name this set of series; 0 for the empty one."""
        ...

    def layout(self, layout_id: int) -> telemetry_pb2.Layout:
        """The layout of that number, as long as a held sample uses it or it is the newest."""
        ...

    def close(self) -> None:
        """Put down what is kept beyond the end of the process."""
        ...

"""The live sample that the stream waits for: it gets its place as it is put down, which spares a commit."""

from agent.spool.frame import LIVE, Entry, Frame, Lane


class Awaited:
    """Whether the live lane was asked for its next frame in vain, and the frame that was then made without asking."""

    def __init__(self) -> None:
        self.waits = False
        self._made: Frame | None = None

    def ask(self, lane: Lane) -> None:
        """There was no next frame for this lane."""
        self.waits = self.waits or lane == LIVE

    def make(self, seq: int, entry: Entry) -> None:
        """The next frame is there."""
        self.waits = False
        self._made = Frame(LIVE, seq, (entry,))

    def take(self, lane: Lane, seq: int) -> Frame | None:
        """The frame that was made, once; None when that is another one."""
        made = self._made
        if made is None or (made.lane, made.seq) != (lane, seq):
            return None
        self._made = None
        return made

    def forget(self) -> None:
        """Nobody waits any more; a frame that was made is read where it was put down, with the times of then."""
        self.waits = False
        self._made = None

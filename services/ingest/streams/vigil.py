"""When something is due on a stream: a Ping, its end after silence, its end of life. Pure."""

from enum import Enum, auto

from services.ingest.streams.times import StreamTimes


class Due(Enum):
    """What is due."""

    NOTHING = auto()
    PING = auto()
    LEAVE = auto()
    GIVE_UP = auto()


class Vigil:
    """Keeps the times of one stream.

    Args:
        times: how long things may last.
        now_s: when the stream began, in monotonic seconds as every time here.
        lifetime_s: how long it lives.
    """

    __slots__ = ("_leave_at_s", "_pinged_at_s", "_times", "heard_at_s", "said_at_s")

    def __init__(self, *, times: StreamTimes, now_s: float, lifetime_s: float) -> None:
        self._times = times
        self.heard_at_s = now_s
        self.said_at_s = now_s
        self._pinged_at_s = now_s
        self._leave_at_s: float | None = now_s + lifetime_s

    def due(self, now_s: float) -> Due:
        """What is due now. Whoever asks does it; of several things one is due after the other."""
        if now_s >= self.heard_at_s + self._times.silent_after_s:
            return Due.GIVE_UP
        if self._leave_at_s is not None and now_s >= self._leave_at_s:
            self._leave_at_s = None
            return Due.LEAVE
        if now_s >= self._ping_at_s:
            self._pinged_at_s = now_s
            return Due.PING
        return Due.NOTHING

    @property
    def next_s(self) -> float:
        """When something is due at the earliest."""
        moments = [self.heard_at_s + self._times.silent_after_s, self._ping_at_s]
        if self._leave_at_s is not None:
            moments.append(self._leave_at_s)
        return min(moments)

    @property
    def _ping_at_s(self) -> float:
        quiet_since_s = max(min(self.heard_at_s, self.said_at_s), self._pinged_at_s)
        return min(quiet_since_s + self._times.ping_every_s, self._pinged_at_s + self._times.spool_every_s)

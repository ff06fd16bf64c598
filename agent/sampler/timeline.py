"""The time that samples carry: the boot clock, set by this machine's wall clock once and by ingest's at each Welcome.

A wall clock that is stepped therefore moves nothing.
"""

from flick.clock import Clock

_NS = 1_000_000_000


_WORTH_MOVING_NS = _NS  # what waits keeps its place on the grid when the correction is smaller


class Timeline:
    """Nanoseconds since the Unix epoch, as ingest sees them once it has told its time. Keeps the last sample's time."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._boot_ns = clock.time_unix_nano() - round(clock.boottime_s() * _NS)
        self._corrected = False
        self.last_ns = 0

    def now_ns(self) -> int:
        """Now."""
        return self._boot_ns + round(self._clock.boottime_s() * _NS)

    def correct(self, *, server_time_ns: int) -> int:
        """Set the time to ingest's; return by how many nanoseconds samples that wait are to be moved.

        That is 0 but for the first time: whatever ingest has seen already keeps its time, and so must what came after
        it. When ingest's time went back, the next sample comes when it has passed the last one.
        """
        moved = server_time_ns - self.now_ns()
        self._boot_ns += moved
        first, self._corrected = not self._corrected, True
        if not first or abs(moved) < _WORTH_MOVING_NS:
            return 0
        self.last_ns = max(0, self.last_ns + moved)
        return moved

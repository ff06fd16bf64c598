"""The time that samples carry: the boot clock, set by this machine's wall clock once and by ingest's at each Welcome.

A wall clock that is stepped therefore moves nothing, and neither does a restart of the agent.
"""

import uuid
from pathlib import Path

from agent.spool.epochs import Mark
from flick.clock import Clock

_NS = 1_000_000_000
_WORTH_MOVING_NS = _NS  # what waits keeps its place on the grid when the correction is smaller
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Timeline:
    """Nanoseconds since the Unix epoch, as ingest sees them once it has told its time. Keeps the last sample's time.

    Args:
        boot_id: this boot's.
        mark: how the clock was set before; goes on if it was in this boot.
        last_ns: the last sample's time; a new boot's first time is not before that, whatever the wall clock says.
    """

    def __init__(self, *, clock: Clock, boot_id: str, mark: Mark | None = None, last_ns: int = 0) -> None:
        self._clock = clock
        self.new_boot = mark is None or mark.boot_id != boot_id
        if mark is None or self.new_boot:
            start_ns = max(clock.time_unix_nano(), last_ns)
            mark = Mark(boot_id, start_ns - round(clock.boottime_s() * _NS), corrected=False)
        self.mark = mark
        self.last_ns = last_ns

    def now_ns(self) -> int:
        """Now."""
        return self.mark.offset_ns + round(self._clock.boottime_s() * _NS)

    def correct(self, *, server_time_ns: int) -> int:
        """Set the time to ingest's; return by how many nanoseconds samples that wait are to be moved.

        That is 0 but for the first time: whatever ingest has seen already keeps its time, and so must what came after
        it. When ingest's time went back, the next sample comes when it has passed the last one.
        """
        first = not self.mark.corrected
        moved = server_time_ns - self.now_ns()
        self.mark = Mark(self.mark.boot_id, self.mark.offset_ns + moved, corrected=True)
        if not first or abs(moved) < _WORTH_MOVING_NS:
            return 0
        self.last_ns = max(0, self.last_ns + moved)
        return moved


def this_boot() -> str:
    """Tells this boot from any other. Where the system has no name for it, every start counts as one."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return str(uuid.uuid4())

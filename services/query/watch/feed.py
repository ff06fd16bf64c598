"""One server's live samples in this process, handed to every viewer of the server."""

from services.query.rules.measured import Measured
from services.query.watch.backlog import Backlog, Update
from services.query.watch.times import WatchTimes


class Feed:
    """Who watches a server, what it sent last, and since when nothing new came.

    Args:
        server_id: the server.
        now_s: the monotonic clock's time.
    """

    def __init__(self, *, server_id: str, now_s: float) -> None:
        self.server_id = server_id
        self.looked_at_s = now_s  # when something came last, or storage was last asked whether it did
        self.live = False  # whether what came last came by the wire
        self._newest_us = 0
        self._viewers: set[Backlog] = set()

    def add(self, viewer: Backlog) -> None:
        """Hand every sample from now on to `viewer` as well."""
        self._viewers.add(viewer)

    def remove(self, viewer: Backlog) -> bool:
        """Forget a viewer. Returns whether nobody is left."""
        self._viewers.discard(viewer)
        return not self._viewers

    def due(self, *, now_s: float, interval_s: float, times: WatchTimes) -> bool:
        """Whether storage must be asked: every interval; where samples come by the wire, only after some patience."""
        wait_s = interval_s + times.patience_s if self.live else max(interval_s - times.poll_s, times.poll_s)
        return now_s - self.looked_at_s >= wait_s

    def deliver_pushed(self, measured: Measured) -> None:
        """Hand what was pushed to every viewer, whatever the agent sent meanwhile."""
        for viewer in self._viewers:
            viewer.put(Update(self.server_id, measured, pushed=True))

    def deliver(self, measured: Measured, *, now_s: float) -> bool:
        """Hand a sample to every viewer. Returns whether it was newer than all before; older ones are left out."""
        if measured.time_us <= self._newest_us:
            return False
        self._newest_us = measured.time_us
        self.looked_at_s = now_s
        for viewer in self._viewers:
            viewer.put(Update(self.server_id, measured))
        return True

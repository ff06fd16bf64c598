"""How often a server may be pushed to: in this process, so that a script gone wild is stopped at the door. Pure."""

from collections import OrderedDict

AT_ONCE = 60
PER_S = 1.0
MAX_REMEMBERED = 20_000  # servers; about 3 MB


class Pace:
    """A bucket of calls for each server, which fills by one a second."""

    def __init__(self, *, at_once: int = AT_ONCE, per_s: float = PER_S) -> None:
        self._at_once = at_once
        self._per_s = per_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # calls left, and when that was

    def take(self, server_id: str, now_s: float) -> float:
        """Take a call; how many seconds to wait for one, 0 where it is taken. `now_s`: monotonic seconds."""
        left, at_s = self._left.get(server_id, (float(self._at_once), now_s))
        left = min(self._at_once, left + (now_s - at_s) * self._per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._left[server_id] = (left if wait_s else left - 1, now_s)
        self._left.move_to_end(server_id)
        if len(self._left) > MAX_REMEMBERED:
            self._left.popitem(last=False)
        return wait_s

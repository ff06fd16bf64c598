"""Which of many things have series. Each other set of series is a layout that is stored for good. Pure."""

from collections.abc import Sequence

_RANKED_ANEW_S = 3600.0


class Roster:
    """Bounded and steady: what is short-lived never comes in, and what is on it stays for a while after it has gone.

    Args:
        most: how many there are at most.
        wait_s: how long something must have been there; what is there at the first look comes in at once.
        keep_s: how long what has gone stays.
    """

    def __init__(self, *, most: int, wait_s: float, keep_s: float) -> None:
        self._most = most
        self._wait_s = wait_s
        self._keep_s = keep_s
        self._first_look = True
        self._ranked_at_s = 0.0
        self._since_s: dict[str, float] = {}
        self._seen_s: dict[str, float] = {}  # of those on the roster

    def update(self, present: Sequence[str], *, now_s: float) -> tuple[str, ...]:
        """Take what there is now, the most important first; return the names on the roster, in order.

        While there is room it is for the most important that are not on it. Without room they wait until the whole is
        ranked anew, once an hour.
        """
        wait_s = 0.0 if self._first_look else self._wait_s
        self._since_s = {name: self._since_s.get(name, now_s) for name in present}
        ready = [name for name, since_s in self._since_s.items() if now_s - since_s >= wait_s]
        self._seen_s = {
            name: now_s if name in self._since_s else seen_s
            for name, seen_s in self._seen_s.items()
            if name in self._since_s or now_s - seen_s <= self._keep_s
        }
        full = len(self._seen_s) >= self._most
        if self._first_look or (full and now_s - self._ranked_at_s >= _RANKED_ANEW_S):
            self._ranked_at_s, self._first_look = now_s, False
            self._seen_s = dict.fromkeys(ready[: self._most], now_s)
        for name in ready:
            if len(self._seen_s) < self._most:
                self._seen_s.setdefault(name, now_s)
        return tuple(sorted(self._seen_s))

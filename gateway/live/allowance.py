"""A token bucket: so many at once, then so many a second. Pure."""


class Allowance:
    """Allows `burst` spendings at once and `per_s` a second in the long run."""

    def __init__(self, *, burst: int, per_s: float) -> None:
        self._burst = float(burst)
        self._per_s = per_s
        self._left = float(burst)
        self._at_s: float | None = None

    def spend(self, *, now_s: float) -> bool:
        """Spend one at `now_s` (monotonic seconds); False when nothing is left."""
        if self._at_s is not None:
            self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True

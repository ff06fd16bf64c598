"""Counters become rates."""

import math

_WRAP = 2**32  # some drivers count in 32 bits
_NEAR_WRAP = _WRAP * 3 // 4


class Rate:
    """One counter's rate between two readings.

    A counter that goes back has been reset, and what it counted in between is not known: NaN, never a negative rate
    nor a spike. One that was close below 2^32 and is small now has wrapped around.
    """

    __slots__ = ("_at_s", "_value")

    def __init__(self) -> None:
        self._value = -1
        self._at_s = 0.0

    def update(self, value: int, at_s: float) -> float:
        """Take a reading of the counter at `at_s` (monotonic seconds); return its growth per second, or NaN."""
        before, before_s = self._value, self._at_s
        self._value, self._at_s = value, at_s
        passed_s = at_s - before_s
        if before < 0 or passed_s <= 0:
            return math.nan
        growth = value - before
        if growth < 0 and _NEAR_WRAP <= before < _WRAP and value < _WRAP - _NEAR_WRAP:
            growth += _WRAP
        return growth / passed_s if growth >= 0 else math.nan

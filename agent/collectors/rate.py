"""Counters become rates."""

import math
import struct
from collections.abc import Iterable, Sequence

_SHORT = struct.Struct("f")
_WRAP = 2**32  # some drivers count in 32 bits
_NEAR_WRAP = _WRAP * 3 // 4


class Rate:
    """One counter's rate between two readings.

    A counter that goes back has been reset, and what it counted in between is not known: NaN, never a negative rate
    nor a spike. One that was close below 2^32 and is small now has wrapped around, if it `wraps` there at all.
    """

    __slots__ = ("_at_s", "_value", "_wraps")

    def __init__(self, *, wraps: bool = True) -> None:
        self._wraps = wraps
        self._value = -1
        self._at_s = 0.0

    def update(self, value: int, at_s: float) -> float:
        """Take a reading of the counter at `at_s` (monotonic seconds); return its growth per second, or NaN."""
        before, before_s = self._value, self._at_s
        self._value, self._at_s = value, at_s
        passed_s = at_s - before_s
        if before < 0 or passed_s <= 0:
            return math.nan
        growth = _growth(before, value) if self._wraps else value - before
        return short(growth / passed_s) if growth >= 0 else math.nan


class Rates:
    """The rates of counters that belong to one thing and are reset together, as when a disk goes and another comes.

    Like `Rate`; where one of them has been reset no rate is known, not even of those that happen to be larger now.
    """

    __slots__ = ("_at_s", "_values")

    def __init__(self) -> None:
        self._values: Sequence[int] = ()
        self._at_s = 0.0

    def update(self, values: Sequence[int], at_s: float) -> list[float]:
        """Take a reading of all counters, always as many; return their growth per second, or NaN for each."""
        before, before_s = self._values, self._at_s
        self._values, self._at_s = values, at_s
        passed_s = at_s - before_s
        if len(before) != len(values) or passed_s <= 0:
            return [math.nan] * len(values)
        growths = [_growth(then, now) for then, now in zip(before, values, strict=True)]
        if min(growths) < 0:
            return [math.nan] * len(values)
        return [growth / passed_s for growth in growths]


def total(rates: Iterable[float]) -> float:
    """Together; what has just come or was reset counts nothing. NaN when there is no rate at all."""
    known = [rate for rate in rates if not math.isnan(rate)]
    return short(sum(known)) if known else math.nan


def short(value: float) -> float:
    """The same to seven digits, which is more than a rate is known to: stored it takes half of the room.

    Raises OverflowError for more than 3e38.
    """
    found: float = _SHORT.unpack(_SHORT.pack(value))[0]
    return found


def _growth(before: int, after: int) -> int:
    """By how much a counter grew; less than nothing when it was reset."""
    growth = after - before
    if growth < 0 and _NEAR_WRAP <= before < _WRAP and after < _WRAP - _NEAR_WRAP:
        growth += _WRAP
    return growth

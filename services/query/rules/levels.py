"""What a server's past is read from: samples, or buckets of a minute, an hour or a day that ingest made of them. Pure.

Times are microseconds since the Unix epoch.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US


class Level(NamedTuple):
    """Rollups: the length of a bucket, how they are called in storage, and the length of what a block holds at most."""

    bucket_us: int
    name: str
    block_us: int


MINUTES = Level(_MINUTE_US, "1m", _HOUR_US)
HOURS = Level(_HOUR_US, "1h", 11 * 24 * _HOUR_US)
DAYS = Level(24 * _HOUR_US, "1d", 366 * 24 * _HOUR_US)
LEVELS = (MINUTES, HOURS, DAYS)
"""The finest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What tells of a span completely.

    Attributes:
        samples: whether samples do, as far as anything is known of the span.
        levels: the rollups that do, together with what is not rolled up yet; the finest first.
        sampled_hours: how many hours are not rolled up yet, of which a level is completed by samples.
        first_us: when the first of anything in the span was measured, or its bucket begins; None: there is nothing.
    """

    samples: bool = True
    levels: Sequence[Level] = ()
    sampled_hours: int = 0
    first_us: int | None = None

    @property
    def least_us(self) -> int:
        """The finest step that is told of completely; 0: samples themselves."""
        return 0 if self.samples or not self.levels else self.levels[0].bucket_us

    def level(self, part_us: int) -> Level | None:
        """The coarsest level whose buckets make up parts of that length; None: samples do."""
        return next((one for one in reversed(self.levels) if part_us % one.bucket_us == 0), None)

    def both(self, other: "Sources") -> "Sources":
        """What tells of this span and of another one."""
        return Sources(
            samples=self.samples and other.samples,
            levels=[one for one in self.levels if one in other.levels],
            sampled_hours=self.sampled_hours + other.sampled_hours,
            first_us=self.first_us,
        )


SAMPLES = Sources()
"""Samples alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hours that levels don't show as they are, each by when it begins.

    Attributes:
        sampled: those that no level shows: only samples do.
        minutes: those that buckets of a minute show, but not those of an hour and a day.
    """

    sampled: Collection[int] = frozenset()
    minutes: Collection[int] = frozenset()


def find_sources(*, start_us: int, first_us: int | None, levels: Mapping[Level, int], hours: Hours) -> Sources:
    """What tells of a span completely: all of it, or as much as anything does.

    Args:
        start_us: when the span begins.
        first_us: when the first of its samples was measured, or when it begins, if there are samples before that; None:
            there are none.
        levels: when the first bucket of each level begins.
        hours: what the levels don't show.
    """
    if first_us is None and not levels:
        return Sources(levels=LEVELS)
    lacking = min([*hours.sampled, *hours.minutes], default=None)
    begins: dict[Level, int] = {}
    for one in LEVELS:  # with what completes it
        known = [begin for begin in (levels.get(one), lacking) if begin is not None]
        if known:
            begins[one] = min(known)
    complete = [one for one in begins if _reaches_back(begins[one], start_us, levels, first_us)]
    samples = not levels or (first_us is not None and _reaches_back(first_us, start_us, levels, None))
    return Sources(
        samples=samples or not complete,
        levels=complete,
        sampled_hours=len(hours.sampled),
        first_us=min([*begins.values(), *([] if first_us is None else [first_us])], default=None),
    )


def _reaches_back(begin_us: int, start_us: int, levels: Mapping[Level, int], first_us: int | None) -> bool:
    """Whether what begins there begins before the span, or no later than anything else, as exactly as that tells."""
    if begin_us <= start_us:
        return True
    if first_us is not None and begin_us > first_us:
        return False
    return all(begin_us // one.bucket_us * one.bucket_us <= other_us for one, other_us in levels.items())

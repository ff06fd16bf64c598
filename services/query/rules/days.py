"""Steps of whole days in the caller's time zone, which have 23 or 25 hours when clocks change. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import count
from zoneinfo import ZoneInfo

import numpy as np

from services.query.rules.plan import SECOND_US, Reading, Span, Times
from services.query.rules.zones import UTC

DAY_US = 86_400 * SECOND_US
_HOUR_US = 3600 * SECOND_US
_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, kw_only=True)
class Days:
    """Steps that begin at midnight somewhere.

    Attributes:
        edges_us: where each begins, ascending, and where the last one ends.
        shown_us: the times that they are shown at; those of other days, where days are compared.
    """

    edges_us: Sequence[int]
    shown_us: Sequence[int]

    @property
    def part_us(self) -> int:
        """A length that divides every one of these, at most an hour."""
        return math.gcd(_HOUR_US, *self.edges_us)


@dataclass(frozen=True, kw_only=True)
class DayReading(Reading):
    """A reading by steps of days; `step_us` is that of days of 24 hours."""

    days: Days

    @property
    def part_us(self) -> int:
        """See `Reading`."""
        return self.days.part_us

    def begins_us(self, times_us: Times) -> Times:
        """See `Reading`."""
        places = np.searchsorted(self.days.edges_us, times_us, side="right") - 1
        return np.asarray(self.days.shown_us, np.int64)[places]


def by_days(reading: Reading, span: Span, *, points: int, zone: ZoneInfo) -> Reading:
    """The same reading of `span`; steps of a day or more begin at midnight in `zone`, at most `points` of them.

    Where nothing finer than UTC days is left, the steps stay those.
    """
    if reading.step_us is None or reading.step_us < DAY_US or zone.key == UTC.key:  # whose days are those of the grid
        return reading
    every, edges_us = next(
        (every, edges_us)
        for every in count(reading.step_us // DAY_US)
        if len(edges_us := _edges_us(span, zone, every)) <= points + 1
    )
    by_zone = DayReading(
        span=Span(start_us=edges_us[0], end_us=edges_us[-1]),
        step_us=every * DAY_US,
        sources=reading.sources,
        days=Days(edges_us=edges_us, shown_us=edges_us[:-1]),
    )
    return by_zone if by_zone.level or reading.sources.samples else reading


def days_before(reading: DayReading, offset_us: int, *, zone: ZoneInfo) -> DayReading:
    """The days so many whole days earlier, shown at the times of these."""
    back = offset_us // DAY_US
    edges_us = [_midnight_us(_day(edge_us, zone) - back, zone) for edge_us in reading.days.edges_us]
    return replace(
        reading,
        span=Span(start_us=edges_us[0], end_us=edges_us[-1]),
        days=Days(edges_us=edges_us, shown_us=reading.days.shown_us),
    )


def _edges_us(span: Span, zone: ZoneInfo, every: int) -> list[int]:
    """Midnights every so many days, counted from 1970-01-01, around the span. A day that a zone left out has none."""
    edges_us: list[int] = []
    for day in count(_day(span.start_us, zone) // every * every, every):
        edge_us = _midnight_us(day, zone)
        if not edges_us or edge_us > edges_us[-1]:
            edges_us.append(edge_us)
        if edge_us >= span.end_us:
            return edges_us
    raise AssertionError("days go on without end")


def _day(moment_us: int, zone: ZoneInfo) -> int:
    """The day of a moment in a zone, counted from 1970-01-01."""
    return datetime.fromtimestamp(moment_us // SECOND_US, zone).toordinal() - _EPOCH_DAY


def _midnight_us(day: int, zone: ZoneInfo) -> int:
    """When a day begins: at the earlier of two midnights, and at the change of clocks that leaves midnight out."""
    begin = datetime.combine(date.fromordinal(day + _EPOCH_DAY), time(), tzinfo=zone)
    return round(begin.timestamp()) * SECOND_US

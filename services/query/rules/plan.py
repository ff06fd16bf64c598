"""From a question about history to what is read for it: the span, and whether samples are combined. Pure.

Times are whole microseconds since the Unix epoch, as PostgreSQL keeps them.
"""

import itertools
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from flick.errors import FlickError, invalid
from services.query.rules.levels import SAMPLES, Level, Sources

Times: TypeAlias = npt.NDArray[np.int64]

SECOND_US = 1_000_000
DEFAULT_SPAN_US = 3600 * SECOND_US
MAX_SPAN_US = 3660 * 86_400 * SECOND_US  # the longest retention there is, and a little
LAST_MOMENT_US = 4_102_444_800 * SECOND_US  # the year 2100

MAX_NAMES = 50
MIN_POINTS = 10
MAX_POINTS = 5_000
DEFAULT_POINTS = 500

MAX_ANSWER_POINTS = 250_000  # 50 series of 5,000 points; with time, average, minimum and maximum 8 MB
# Measured: rows take PostgreSQL 0.4 µs each and 0.05 to 0.08 µs for each value combined, on an idle machine. On a busy
# one sealed hours take query 0.3 µs and 0.11 µs, where rows took 0.14 µs a value. So 6 s at the most.
MAX_READ_ROWS = 2_000_000
MAX_READ_VALUES = 50_000_000

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_DAY_S = 86_400
_MINUTE_US = 60 * SECOND_US
_HOUR_US = 3600 * SECOND_US


@dataclass(frozen=True, kw_only=True)
class Span:
    """From `start_us`, included, to `end_us`, not included."""

    start_us: int
    end_us: int

    @property
    def length_us(self) -> int:
        """How long it is."""
        return self.end_us - self.start_us

    def moved(self, by_us: int) -> "Span":
        """The same span so much later; negative: earlier."""
        return Span(start_us=self.start_us + by_us, end_us=self.end_us + by_us)

    def within(self, other: "Span") -> "Span":
        """What it has in common with another one that touches it."""
        return Span(start_us=max(self.start_us, other.start_us), end_us=min(self.end_us, other.end_us))

    def aligned(self, step_us: int) -> "Span":
        """The least span around this one that begins and ends on the grid of `step_us`, so that every step is whole."""
        return Span(start_us=self.start_us // step_us * step_us, end_us=-(-self.end_us // step_us) * step_us)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How a span begins in storage: its rows, counted up to a limit, and the times of the first and last of those."""

    rows: int
    first_us: int = 0
    last_us: int = 0


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is read: samples as they are where `step_us` is None, else combined by steps of the grid.

    Attributes:
        sources: what tells of the span completely.
    """

    span: Span
    step_us: int | None
    sources: Sources = SAMPLES

    @property
    def part_us(self) -> int:
        """A length that divides every step. There are steps."""
        assert self.step_us is not None
        return self.step_us

    @property
    def level(self) -> Level | None:
        """Which level the steps are made of; None: of samples."""
        return None if self.step_us is None else self.sources.level(self.part_us)

    def moved(self, by_us: int) -> Self:
        """The same so much later; negative: earlier. By whole steps, where there are steps."""
        return replace(self, span=self.span.moved(by_us))

    def begins_us(self, times_us: Times) -> Times:
        """When the steps begin in which ascending times lie, as an answer shows them. There are steps."""
        assert self.step_us is not None
        return times_us // self.step_us * self.step_us


def plan_span(*, start_us: int | None, end_us: int | None, now_us: int) -> Span:
    """The span that is asked for. Raises INVALID_ARGUMENT when it is empty, too long or out of range."""
    end = now_us if end_us is None else end_us
    return check_span(max(0, end - DEFAULT_SPAN_US) if start_us is None else start_us, end)


def check_span(start_us: int, end_us: int, *, start: str = "start_time", end: str = "end_time") -> Span:
    """The span between two moments, which come in the fields `start` and `end`. Raises INVALID_ARGUMENT as above."""
    check_moment(end, end_us)
    check_moment(start, start_us)
    if start_us >= end_us:
        raise invalid(start, f"must be before {end}; swap them or leave {end} out for now.")
    if end_us - start_us > MAX_SPAN_US:
        raise invalid(start, f"is more than 3660 days before {end}, longer than anything is kept; move it.")
    return Span(start_us=start_us, end_us=end_us)


def check_moment(field: str, moment_us: int) -> int:
    """The moment itself. Raises INVALID_ARGUMENT when nothing can have been measured then."""
    if not 0 <= moment_us < LAST_MOMENT_US:
        raise invalid(field, "must lie between the years 1970 and 2100.")
    return moment_us


def plan_points(*, max_points: int, series: int) -> int:
    """How many points each of `series` series may have, so that the answer stays small enough to send.

    Raises INVALID_ARGUMENT when `max_points` is out of range or there are too many series.
    """
    if max_points and not MIN_POINTS <= max_points <= MAX_POINTS:
        raise invalid("max_points", f"must be {MIN_POINTS} to {MAX_POINTS}, or 0 for {DEFAULT_POINTS}.")
    points = min(max_points or DEFAULT_POINTS, MAX_ANSWER_POINTS // max(series, 1))
    if points < MIN_POINTS:
        raise invalid("names", f"stand for {series} series, more than one answer holds; ask for fewer names at a time.")
    return points


def plan_reading(
    *,
    span: Span,
    points: int,
    series: int,
    probe: Probe,
    now_us: int,
    reads: int = 1,
    as_measured: bool = True,
    sources: Sources = SAMPLES,
) -> Reading:
    """Samples as they are when at most `points` of them lie in the span, else steps wide enough for `points` of them.

    Args:
        span: what is asked for.
        points: the most points a series may have.
        series: how many series are read.
        probe: what is stored in the span, counted to one more than `points`.
        now_us: the time; nothing is expected to be stored after it.
        reads: among how many readings of one call the budget is shared.
        as_measured: whether samples may come as they are.
        sources: what tells of the span completely; a step is no finer than that.

    Raises INVALID_ARGUMENT with advice when more would have to be read than one call may.
    """
    if as_measured and sources.samples and probe.rows <= points:
        return Reading(span=span, step_us=None, sources=sources)
    step_us = plan_step(span, points, least_us=sources.least_us)
    reading = Reading(span=span.aligned(step_us), step_us=step_us, sources=sources)
    _refuse_too_much(reading, span, series, probe, now_us, reads)
    return reading


def tells_all(probe: Probe, span: Span, points: int) -> bool:
    """Whether samples tell of all of the span and are what is read, without asking for more: it begins with some."""
    if not probe.rows or probe.first_us - span.start_us >= _MINUTE_US:
        return False
    return probe.rows <= points or _step(span, points) < _MINUTE_US


def plan_step(span: Span, points: int, *, least_us: int) -> int:
    """The least step of the usual ones that is not below `least_us` and puts at most `points` steps on the span."""
    return max(_step(span, points), next(one * SECOND_US for one in _STEPS_S if one * SECOND_US >= least_us))


def _step(span: Span, points: int) -> int:
    """The least step of the usual ones that puts at most `points` steps of its grid on the span."""
    whole_days = itertools.count(span.length_us // (_DAY_S * SECOND_US * points) or 1)
    steps = itertools.chain(_STEPS_S, (days * _DAY_S for days in whole_days))
    return next(
        step_s * SECOND_US
        for step_s in steps
        if span.aligned(step_s * SECOND_US).length_us <= points * step_s * SECOND_US
    )


def _refuse_too_much(reading: Reading, span: Span, series: int, probe: Probe, now_us: int, reads: int) -> None:
    rows = read_rows(reading.level, reading.sources, span, probe, now_us)
    limit = min(MAX_READ_ROWS, MAX_READ_VALUES // max(series, 1)) / reads
    if rows > limit:
        begin_us = probe.first_us if reading.level is None else reading.sources.first_us or span.start_us
        held_us = min(span.end_us, max(now_us, probe.last_us)) - max(span.start_us, begin_us)
        raise too_much(f"about {held_us * limit / rows / SECOND_US / 3600:.0f} hours")


def read_rows(level: Level | None, sources: Sources, span: Span, probe: Probe, now_us: int) -> float:
    """How many samples, or as much as samples, are read of the span at a level: a bucket has as much as three."""
    samples = expected_rows(span, probe, now_us)
    if level is None:
        return samples
    begin_us = max(span.start_us, sources.first_us or 0)
    buckets = max(0, min(span.end_us, now_us) - begin_us) / level.bucket_us
    return 3 * buckets + min(samples, sources.sampled_hours * _HOUR_US / _interval_us(probe) if probe.rows > 1 else 0)


def expected_rows(span: Span, probe: Probe, now_us: int) -> float:
    """How many samples the span has if it goes on as it begins; nothing is expected after `now_us`."""
    if probe.rows < 2:
        return probe.rows
    return (min(span.end_us, max(now_us, probe.last_us)) - probe.first_us) / _interval_us(probe)


def _interval_us(probe: Probe) -> float:
    return max((probe.last_us - probe.first_us) / (probe.rows - 1), 1)


def too_much(advice: str) -> FlickError:
    """INVALID_ARGUMENT for a span that holds more than one call may read; `advice` says which span would do."""
    return invalid("start_time", f"reaches over more samples than one call reads; ask for {advice} at a time.")

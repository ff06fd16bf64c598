"""What a level is made of where it is not complete yet: its buckets, finer ones, and samples. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from services.query.rules.delivery import HOUR_US
from services.query.rules.levels import DAYS, HOURS, MINUTES, Hours, Level
from services.query.rules.plan import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A part of what a level is made of, and the hours of it that another part has."""

    level: Level | None  # None: samples
    span: Span
    without: Collection[int] = field(default_factory=frozenset)


def sources_of(level: Level, span: Span, hours: Hours) -> Iterator[Source]:
    """What tells of a span at a level, every moment once. Samples are read in whole hours.

    The span begins and ends where buckets of the level do. A bucket in which there is an hour that the level does not
    show is made of the next finer ones.
    """
    missing = {*hours.sampled, *hours.minutes} if level is not MINUTES else set(hours.sampled)
    if level is DAYS:
        days = {hour_us // DAYS.bucket_us * DAYS.bucket_us for hour_us in missing}
        yield Source(level=DAYS, span=span, without=days)
        for run in runs(days, DAYS.bucket_us):
            yield from _clipped(HOURS, run, span, missing)
    else:
        yield Source(level=level, span=span, without=missing)
    if level is not MINUTES:
        for run in runs(set(hours.minutes) - set(hours.sampled), HOUR_US):
            yield from _clipped(MINUTES, run, span, ())
    for run in runs(hours.sampled, HOUR_US):
        if run.start_us < span.end_us and run.end_us > span.start_us:
            yield Source(level=None, span=run)


def runs(starts: Collection[int], length_us: int) -> Iterator[Span]:
    """Pieces of one length that begin at `starts`, those that follow one another as one."""
    begin_us: int | None = None
    end_us = 0
    for start_us in sorted(starts):
        if begin_us is not None and start_us > end_us:
            yield Span(start_us=begin_us, end_us=end_us)
            begin_us = None
        begin_us = start_us if begin_us is None else begin_us
        end_us = start_us + length_us
    if begin_us is not None:
        yield Span(start_us=begin_us, end_us=end_us)


def _clipped(level: Level, run: Span, span: Span, without: Collection[int]) -> Iterator[Source]:
    begin_us, end_us = max(run.start_us, span.start_us), min(run.end_us, span.end_us)
    if begin_us < end_us:
        yield Source(level=level, span=Span(start_us=begin_us, end_us=end_us), without=without)

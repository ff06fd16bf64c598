"""Which parts of a span lie in sealed hours. Pure."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from services.query.rules.delivery import HOUR_US
from services.query.rules.plan import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a span. Within sealed hours late rows may lie beside the blocks, elsewhere everything is in rows."""

    span: Span
    sealed: bool


def find_stretches(span: Span, sealed_hours_us: Collection[int]) -> list[Stretch]:
    """The span in as few parts as can be, in the order of time.

    Args:
        span: what is read; not empty.
        sealed_hours_us: when the sealed hours that touch the span begin.
    """
    found: list[Stretch] = []
    place_us = span.start_us
    for begin_us, end_us in _runs(sealed_hours_us):
        begin_us, end_us = max(begin_us, span.start_us), min(end_us, span.end_us)
        if begin_us >= end_us:
            continue
        if place_us < begin_us:
            found.append(Stretch(span=Span(start_us=place_us, end_us=begin_us), sealed=False))
        found.append(Stretch(span=Span(start_us=begin_us, end_us=end_us), sealed=True))
        place_us = end_us
    if place_us < span.end_us:
        found.append(Stretch(span=Span(start_us=place_us, end_us=span.end_us), sealed=False))
    return found


def cut(span: Span, counts: Iterable[tuple[int, int]], *, most: int) -> Iterator[Span]:
    """The part of the span that holds sealed hours, in parts that are read at a time.

    Args:
        span: what is read; not empty.
        counts: when each block's hour begins, ascending, and how many samples it has.
        most: how many samples a part holds, unless a single hour has more.
    """
    part: tuple[int, int] | None = None
    held = 0
    for hour_us, group in groupby(counts, key=itemgetter(0)):
        count = sum(one for _, one in group)
        if part and held + count > most:
            yield _clipped(part, span)
            part, held = None, 0
        part, held = (part[0] if part else hour_us, hour_us + HOUR_US), held + count
    if part:
        yield _clipped(part, span)


def _clipped(part: tuple[int, int], span: Span) -> Span:
    return Span(start_us=max(part[0], span.start_us), end_us=min(part[1], span.end_us))


def _runs(hours_us: Collection[int]) -> list[tuple[int, int]]:
    """Hours that follow one another as one: from, included, to, not included."""
    runs: list[tuple[int, int]] = []
    for hour_us in sorted(set(hours_us)):
        if runs and runs[-1][1] == hour_us:
            runs[-1] = runs[-1][0], hour_us + HOUR_US
        else:
            runs.append((hour_us, hour_us + HOUR_US))
    return runs

"""Samples of one layout as columns, and what a chart shows of them: the samples themselves, or steps. Pure."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import add

from services.query.rules.plan import SECOND_US, Span
from services.query.rules.points import SampleRow, StepRow

Column = Sequence[float] | None
"""One value for each sample, NaN where it was not measured; None: it was measured in none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Samples of one layout.

    Attributes:
        layout_id: which layout; 0 where core columns are read.
        times_us: when they were measured, ascending.
        columns: a column for each cell that was asked for.
    """

    layout_id: int
    times_us: Sequence[int]
    columns: Sequence[Column]

    def within(self, span: Span) -> tuple[int, int]:
        """From which sample, included, to which, not included, they lie in the span."""
        begin = bisect_left(self.times_us, span.start_us)
        return begin, bisect_left(self.times_us, span.end_us, begin)

    def times_within(self, span: Span) -> Sequence[int]:
        """When the samples that lie in the span were measured."""
        begin, end = self.within(span)
        return self.times_us[begin:end]


def to_blocks(rows: Iterable[SampleRow], *, width: int) -> list[Block]:
    """Rows in the order of time as a block for each of their layouts, `width` columns in each."""
    by_layout: dict[int, list[SampleRow]] = {}
    for row in rows:
        by_layout.setdefault(row.layout_id, []).append(row)
    return [
        Block(
            layout_id=layout_id,
            times_us=[row.time_us for row in found],
            columns=[[_number(row.values[index]) for row in found] for index in range(width)],
        )
        for layout_id, found in by_layout.items()
    ]


def sample_rows(block: Block, span: Span) -> Iterator[SampleRow]:
    """The samples within the span, one by one."""
    begin, end = block.within(span)
    columns = [repeat(None, end - begin) if one is None else one[begin:end] for one in block.columns]
    values = zip(*columns, strict=True) if columns else repeat((), end - begin)
    for time_us, row in zip(block.times_us[begin:end], values, strict=True):
        yield SampleRow(block.layout_id, time_us, row)


def step_rows(block: Block, span: Span, *, step_us: int) -> Iterator[StepRow]:
    """The samples within the span, combined by steps of a grid that begins at the Unix epoch, in the order of time."""
    times_us = block.times_us
    place, end = block.within(span)
    while place < end:
        begin_us = times_us[place] // step_us * step_us
        after = bisect_left(times_us, begin_us + step_us, place, end)
        combined = [_combine(one, place, after) for one in block.columns]
        yield StepRow(block.layout_id, begin_us / SECOND_US, *map(list, zip(*combined, strict=True)))
        place = after


def merge_steps(rows: Iterable[StepRow]) -> list[StepRow]:
    """The same steps, each layout of a step as one row, so that a long step takes no room for every hour in it."""
    found: dict[tuple[int, float], StepRow] = {}
    for row in rows:
        key = row.layout_id, row.time
        found[key] = _merge(found[key], row) if key in found else row
    return list(found.values())


def _merge(one: StepRow, other: StepRow) -> StepRow:
    return one._replace(
        counts=list(map(add, one.counts, other.counts)),
        totals=list(map(_either(add), one.totals, other.totals)),
        minima=list(map(_either(min), one.minima, other.minima)),
        maxima=list(map(_either(max), one.maxima, other.maxima)),
    )


def _either(
    both: Callable[[float, float], float],
) -> Callable[[float | None, float | None], float | None]:
    """`both` where there are two values, else the one that there is."""

    def chosen(one: float | None, other: float | None) -> float | None:
        if one is None or other is None:
            return other if one is None else one
        return both(one, other)

    return chosen


def _combine(column: Column, begin: int, end: int) -> tuple[int, float | None, float | None, float | None]:
    """Count, sum, least and greatest of what was measured."""
    values = column[begin:end] if column is not None else ()
    total = sum(values)
    if math.isnan(total):  # something was not measured, or infinities cancel out
        values = [one for one in values if not math.isnan(one)]
        total = sum(values)
    return (len(values), total, min(values), max(values)) if values else (0, None, None, None)


def _number(value: float | None) -> float:
    return math.nan if value is None else value

"""In which hours of a span samples lie, how many, and in which parts they are read. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.query.rules.delivery import HOUR_US
from services.query.rules.plan import Span


class Head(NamedTuple):
    """A block: its hour, how many samples it has, when the first and the last of them were measured, and their layout.

    Times are microseconds since the Unix epoch; layout 0 is none.
    """

    hour_us: int
    size: int
    first_us: int
    last_us: int
    layout_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a span, and whether blocks and rows may lie in it."""

    span: Span
    blocks: bool
    rows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Where the samples of a span lie.

    Attributes:
        span: what is read; not empty.
        sealed: the blocks that may touch the span, by when their hour begins, in microseconds.
        rows: how many rows each hour has that has any.
    """

    span: Span
    sealed: Mapping[int, Sequence[Head]]
    rows: Mapping[int, int]

    def parts(self, *, most: int) -> Iterator[Part]:
        """The span in parts of whole hours and of at most `most` samples and rows, unless a single hour has more.

        They are in the order of time, and hold every hour that has samples.
        """
        hours: list[int] = []
        held = 0
        for hour_us in sorted(self.sealed.keys() | self.rows.keys()):
            count = sum(one.size for one in self.sealed.get(hour_us, ())) + self.rows.get(hour_us, 0)
            if hours and held + count > most:
                yield self._part(hours)
                hours, held = [], 0
            hours.append(hour_us)
            held += count
        if hours:
            yield self._part(hours)

    def _part(self, hours: Sequence[int]) -> Part:
        start_us, end_us = max(hours[0], self.span.start_us), min(hours[-1] + HOUR_US, self.span.end_us)
        return Part(
            span=Span(start_us=start_us, end_us=end_us),
            blocks=any(hour_us in self.sealed for hour_us in hours),
            rows=any(hour_us in self.rows for hour_us in hours),
        )

"""Which parts of a span lie in sealed hours, and in which parts they are read. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
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
class Stretch:
    """A part of a span. Where it is sealed, every hour that has rows has blocks as well; elsewhere there are none."""

    span: Span
    sealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Where the samples of a span lie.

    Attributes:
        span: what is read; not empty.
        sealed: the blocks that may touch the span, by when their hour begins, in microseconds.
        rows: how many rows each hour has, of those from the first sealed hour to the last.
    """

    span: Span
    sealed: Mapping[int, Sequence[Head]]
    rows: Mapping[int, int]

    def stretches(self) -> list[Stretch]:
        """The span in few parts, in the order of time. Hours without samples belong to whatever is beside them."""
        if not self.sealed:
            return [Stretch(span=self.span, sealed=False)]
        hours = sorted(self.sealed.keys() | self.rows.keys())
        begins = [(next(run), sealed) for sealed, run in groupby(hours, key=self.sealed.__contains__)]
        edges = [*begins, (max(self.sealed) + HOUR_US, False)]
        if edges[0][0] > self.span.start_us:
            edges.insert(0, (self.span.start_us, False))
        found = []
        for (begin_us, sealed), (end_us, _) in pairwise([*edges, (self.span.end_us, False)]):
            span = self._clipped(begin_us, end_us)
            if span.length_us > 0:
                found.append(Stretch(span=span, sealed=sealed))
        return found

    def parts(self, stretch: Span, *, most: int) -> Iterator[Span]:
        """A stretch of sealed hours in parts of at most `most` samples and rows, unless a single hour has more."""
        part: tuple[int, int] | None = None
        held = 0
        for hour_us in sorted(self.sealed):
            if not (hour_us < stretch.end_us and hour_us + HOUR_US > stretch.start_us):
                continue
            count = sum(one.size for one in self.sealed[hour_us]) + self.rows.get(hour_us, 0)
            if part and held + count > most:
                yield self._clipped(*part)
                part, held = None, 0
            part, held = (part[0] if part else hour_us, hour_us + HOUR_US), held + count
        if part:
            yield self._clipped(*part)

    def has_rows(self, part: Span) -> bool:
        """Whether rows may lie in the part of a sealed stretch."""
        return any(hour_us < part.end_us and hour_us + HOUR_US > part.start_us for hour_us in self.rows)

    def _clipped(self, begin_us: int, end_us: int) -> Span:
        return Span(start_us=max(begin_us, self.span.start_us), end_us=min(end_us, self.span.end_us))

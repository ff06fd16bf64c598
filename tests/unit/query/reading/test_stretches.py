"""A span is cut where hours begin to be sealed and cease to be, and nowhere else."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.query.reading.stretches import Stretch, cut, find_stretches
from services.query.rules.delivery import HOUR_US
from services.query.rules.plan import Span

BEGIN_US = 490_000 * HOUR_US
hours = st.sets(st.integers(0, 12).map(lambda hour: BEGIN_US + hour * HOUR_US))
spans = st.tuples(st.integers(0, 12 * HOUR_US), st.integers(1, 12 * HOUR_US)).map(
    lambda drawn: Span(start_us=BEGIN_US + drawn[0], end_us=BEGIN_US + drawn[0] + drawn[1])
)


@given(spans, hours)
def test_the_stretches_are_the_span_and_each_is_as_long_as_can_be(span: Span, sealed: set[int]) -> None:
    found = find_stretches(span, sealed)

    assert (found[0].span.start_us, found[-1].span.end_us) == (span.start_us, span.end_us)
    assert all(one.span.end_us == after.span.start_us and one.sealed != after.sealed for one, after in pairwise(found))


@given(spans, hours, st.integers(0, 24 * HOUR_US))
def test_a_moment_is_in_a_sealed_stretch_when_its_hour_is_sealed(span: Span, sealed: set[int], offset_us: int) -> None:
    moment_us = span.start_us + offset_us % span.length_us

    (stretch,) = [one for one in find_stretches(span, sealed) if one.span.start_us <= moment_us < one.span.end_us]

    assert stretch.sealed == (moment_us // HOUR_US * HOUR_US in sealed)


def test_where_nothing_is_sealed_the_span_stays_whole() -> None:
    span = Span(start_us=BEGIN_US + 1, end_us=BEGIN_US + 5 * HOUR_US)

    assert find_stretches(span, ()) == [Stretch(span=span, sealed=False)]


sizes = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 50)), max_size=20).map(
    lambda drawn: sorted((BEGIN_US + hour * HOUR_US, size) for hour, size in drawn)
)


@given(spans, sizes, st.integers(1, 120))
def test_parts_hold_every_hour_once_and_whole_and_no_more_than_they_may(
    span: Span, sizes: list[tuple[int, int]], most: int
) -> None:
    touching = [(hour, size) for hour, size in sizes if hour < span.end_us and hour + HOUR_US > span.start_us]

    parts = list(cut(span, touching, most=most))

    held = [[one for one in touching if one[0] < part.end_us and one[0] + HOUR_US > part.start_us] for part in parts]
    assert [one for part in held for one in part] == touching
    assert all(sum(size for _, size in part) <= most or len({hour for hour, _ in part}) == 1 for part in held)
    assert all(span.start_us <= part.start_us < part.end_us <= span.end_us for part in parts)

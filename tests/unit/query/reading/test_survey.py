"""A span is cut where rows without blocks begin and end, and nowhere else."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.query.reading.survey import Head, Stretch, Survey
from services.query.rules.delivery import HOUR_US
from services.query.rules.plan import Span

BEGIN_US = 490_000 * HOUR_US
HOURS = 12

counts = st.dictionaries(st.integers(0, HOURS - 1), st.integers(1, 50))


@st.composite
def surveys(draw: st.DrawFn) -> Survey:
    """What a survey can find of a span that begins and ends anywhere in the first and the last of some hours."""
    start_us = BEGIN_US + draw(st.integers(0, HOURS * HOUR_US - 1))
    span = Span(start_us=start_us, end_us=draw(st.integers(start_us + 1, BEGIN_US + HOURS * HOUR_US)))
    sealed, rows = (_within(span, draw(counts)) for _ in range(2))
    return Survey(
        span=span,
        sealed={hour: _heads(hour, count) for hour, count in sealed.items()},
        rows={hour: count for hour, count in rows.items() if sealed and min(sealed) <= hour <= max(sealed)},
    )


def _within(span: Span, found: dict[int, int]) -> dict[int, int]:
    by_hour = {BEGIN_US + hour * HOUR_US: count for hour, count in found.items()}
    return {hour: count for hour, count in by_hour.items() if _touches(hour, span)}


def _heads(hour_us: int, count: int) -> list[Head]:
    """A block for a third of the samples, and one for the rest."""
    sizes = [one for one in (count // 3, count - count // 3) if one]
    return [Head(hour_us, size, hour_us, hour_us + HOUR_US - 1, 0) for size in sizes]


def _count(survey: Survey, hour_us: int) -> int:
    return sum(one.size for one in survey.sealed[hour_us]) + survey.rows.get(hour_us, 0)


def _touches(hour_us: int, span: Span) -> bool:
    return hour_us < span.end_us and hour_us + HOUR_US > span.start_us


@given(surveys())
def test_the_stretches_are_the_span(survey: Survey) -> None:
    found = survey.stretches()

    assert (found[0].span.start_us, found[-1].span.end_us) == (survey.span.start_us, survey.span.end_us)
    assert all(one.span.end_us == after.span.start_us for one, after in pairwise(found))
    assert all(one.span.length_us > 0 for one in found)


@given(surveys())
def test_an_hour_with_blocks_is_in_a_sealed_stretch_and_one_with_rows_alone_is_not(survey: Survey) -> None:
    found = survey.stretches()

    for hour_us in survey.sealed.keys() | survey.rows.keys():
        holding = {one.sealed for one in found if _touches(hour_us, one.span)}
        assert holding == {hour_us in survey.sealed}


@given(surveys())
def test_beyond_the_sealed_hours_nothing_is_taken_for_sealed(survey: Survey) -> None:
    for one in survey.stretches():
        if one.sealed:
            assert one.span.start_us >= min(survey.sealed)
            assert one.span.end_us <= max(survey.sealed) + HOUR_US


@given(surveys())
def test_there_are_no_more_stretches_than_changes(survey: Survey) -> None:
    kinds = [hour in survey.sealed for hour in sorted(survey.sealed.keys() | survey.rows.keys())]

    assert len(survey.stretches()) <= 3 + sum(one != after for one, after in pairwise(kinds))


def test_hours_without_samples_between_sealed_ones_cut_nothing() -> None:
    sealed = {BEGIN_US + hour * HOUR_US: _heads(BEGIN_US + hour * HOUR_US, 720) for hour in (0, 1, 9)}
    span = Span(start_us=BEGIN_US, end_us=BEGIN_US + 10 * HOUR_US)

    assert Survey(span=span, sealed=sealed, rows={}).stretches() == [Stretch(span=span, sealed=True)]


def test_where_nothing_is_sealed_the_span_stays_whole() -> None:
    span = Span(start_us=BEGIN_US + 1, end_us=BEGIN_US + 5 * HOUR_US)

    assert Survey(span=span, sealed={}, rows={}).stretches() == [Stretch(span=span, sealed=False)]


@given(surveys(), st.integers(1, 120))
def test_parts_hold_every_sealed_hour_once_and_whole_and_no_more_than_they_may(survey: Survey, most: int) -> None:
    for stretch in survey.stretches():
        if not stretch.sealed:
            continue
        hours = sorted(hour for hour in survey.sealed if _touches(hour, stretch.span))
        parts = list(survey.parts(stretch.span, most=most))
        held = [[hour for hour in hours if _touches(hour, part)] for part in parts]

        assert [hour for part in held for hour in part] == hours
        for part in held:
            assert len(part) == 1 or sum(_count(survey, hour) for hour in part) <= most
        assert all(survey.span.start_us <= part.start_us < part.end_us <= survey.span.end_us for part in parts)


@given(surveys())
def test_parts_without_rows_are_known(survey: Survey) -> None:
    for part in survey.parts(survey.span, most=1):
        assert survey.has_rows(part) == any(_touches(hour, part) for hour in survey.rows)

"""A span is read in parts of whole hours."""

from hypothesis import given
from hypothesis import strategies as st

from services.query.reading.survey import Head, Survey
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
        rows=rows,
    )


def _within(span: Span, found: dict[int, int]) -> dict[int, int]:
    by_hour = {BEGIN_US + hour * HOUR_US: count for hour, count in found.items()}
    return {hour: count for hour, count in by_hour.items() if _touches(hour, span)}


def _heads(hour_us: int, count: int) -> list[Head]:
    """A block for a third of the samples, and one for the rest."""
    sizes = [one for one in (count // 3, count - count // 3) if one]
    return [Head(hour_us, size, hour_us, hour_us + HOUR_US - 1, 0) for size in sizes]


def _count(survey: Survey, hour_us: int) -> int:
    return sum(one.size for one in survey.sealed.get(hour_us, ())) + survey.rows.get(hour_us, 0)


def _touches(hour_us: int, span: Span) -> bool:
    return hour_us < span.end_us and hour_us + HOUR_US > span.start_us


def _hours(survey: Survey) -> list[int]:
    return sorted(survey.sealed.keys() | survey.rows.keys())


@given(surveys(), st.integers(1, 120))
def test_parts_hold_every_hour_once_and_whole_and_no_more_than_they_may(survey: Survey, most: int) -> None:
    parts = list(survey.parts(most=most))
    held = [[hour for hour in _hours(survey) if _touches(hour, part.span)] for part in parts]

    assert [hour for part in held for hour in part] == _hours(survey)
    for hours in held:
        assert len(hours) == 1 or sum(_count(survey, hour) for hour in hours) <= most
    for part in parts:
        assert survey.span.start_us <= part.span.start_us < part.span.end_us <= survey.span.end_us


@given(surveys(), st.integers(1, 120))
def test_a_part_tells_where_its_samples_may_lie(survey: Survey, most: int) -> None:
    for part in survey.parts(most=most):
        assert part.blocks == any(_touches(hour, part.span) for hour in survey.sealed)
        assert part.rows == any(_touches(hour, part.span) for hour in survey.rows)


@given(surveys())
def test_no_part_ends_where_another_would_have_had_room(survey: Survey) -> None:
    assert len(list(survey.parts(most=10**9))) == bool(_hours(survey))

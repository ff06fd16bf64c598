"""Whatever hours a level lacks, every moment of a span is read once."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.query.reading.composition import Source, runs, sources_of
from services.query.rules.levels import DAYS, HOURS, LEVELS, MINUTES, Hours, Level
from services.query.rules.plan import Span

BEGIN_US = 20_000 * DAYS.bucket_us
MINUTE_US, HOUR_US = MINUTES.bucket_us, HOURS.bucket_us

hours = st.sets(st.integers(0, 95)).map(lambda found: frozenset(BEGIN_US + hour * HOUR_US for hour in found))


@st.composite
def spans(draw: st.DrawFn, level: Level) -> Span:
    begin, end = sorted(draw(st.lists(st.integers(0, 4 * DAYS.bucket_us // level.bucket_us), min_size=2, max_size=2)))
    return Span(start_us=BEGIN_US + begin * level.bucket_us, end_us=BEGIN_US + (end + 1) * level.bucket_us)


def _has(source: Source, moment_us: int) -> bool:
    """Whether a moment is read from a source."""
    if not source.span.start_us <= moment_us < source.span.end_us:
        return False
    length_us = max(source.level.bucket_us, HOUR_US) if source.level else HOUR_US
    return moment_us // length_us * length_us not in source.without


@given(sampled=hours, minutes=hours, level=st.sampled_from(LEVELS), data=st.data())
def test_every_moment_is_read_once_and_from_what_shows_it(
    sampled: frozenset[int], minutes: frozenset[int], level: Level, data: st.DataObject
) -> None:
    span = data.draw(spans(level))
    found = list(sources_of(level, span, Hours(sampled=sampled, minutes=minutes - sampled)))

    for moment_us in range(span.start_us, span.end_us, 15 * MINUTE_US):
        holding = [one.level for one in found if _has(one, moment_us)]
        assert len(holding) == 1
        hour_us = moment_us // HOUR_US * HOUR_US
        if hour_us in sampled:
            assert holding == [None]
        elif hour_us in minutes:
            assert holding == [MINUTES]
        else:
            assert holding[0] in (level, HOURS)


@given(starts=hours)
def test_runs_are_the_hours_in_as_few_pieces_as_can_be(starts: frozenset[int]) -> None:
    found = list(runs(starts, HOUR_US))

    assert {hour for run in found for hour in range(run.start_us, run.end_us, HOUR_US)} == starts
    assert all(one.end_us < after.start_us for one, after in itertools.pairwise(found))

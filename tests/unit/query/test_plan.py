"""The planner: every answer fits, the grid is the step's, and what would read too much is refused with advice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError, Kind
from services.query.rules.plan import (
    DEFAULT_SPAN_US,
    LAST_MOMENT_US,
    MAX_ANSWER_POINTS,
    MAX_POINTS,
    MAX_SPAN_US,
    MIN_POINTS,
    SECOND_US,
    Probe,
    Span,
    plan_points,
    plan_reading,
    plan_span,
)

NOW_US = 1_790_000_000 * SECOND_US
HOUR_US = 3600 * SECOND_US

moments = st.integers(min_value=MAX_SPAN_US, max_value=NOW_US)
spans = st.builds(
    lambda start, length: Span(start_us=start, end_us=start + length),
    moments,
    st.integers(min_value=1, max_value=MAX_SPAN_US),
)


def test_without_times_the_last_hour_is_meant() -> None:
    assert plan_span(start_us=None, end_us=None, now_us=NOW_US) == Span(start_us=NOW_US - HOUR_US, end_us=NOW_US)


def test_without_a_start_the_hour_before_the_end_is_meant() -> None:
    span = plan_span(start_us=None, end_us=NOW_US // 2, now_us=NOW_US)

    assert span == Span(start_us=NOW_US // 2 - DEFAULT_SPAN_US, end_us=NOW_US // 2)


@pytest.mark.parametrize(
    ("start_us", "end_us", "field"),
    [
        (NOW_US, NOW_US, "start_time"),
        (NOW_US + 1, NOW_US, "start_time"),
        (NOW_US + HOUR_US, None, "start_time"),
        (NOW_US - MAX_SPAN_US - 1, NOW_US, "start_time"),
        (-1, NOW_US, "start_time"),
        (None, LAST_MOMENT_US, "end_time"),
        (None, -(2**62), "end_time"),
    ],
)
def test_an_impossible_span_is_refused_by_its_field(start_us: int | None, end_us: int | None, field: str) -> None:
    with pytest.raises(FlickError) as refused:
        plan_span(start_us=start_us, end_us=end_us, now_us=NOW_US)

    assert refused.value.kind is Kind.INVALID_ARGUMENT
    assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.parametrize(("asked", "points"), [(0, 500), (10, 10), (500, 500), (5000, 5000)])
def test_max_points_is_taken_as_asked(asked: int, points: int) -> None:
    assert plan_points(max_points=asked, series=50) == points


@pytest.mark.parametrize("asked", [-1, 1, 9, 5001, 2**31 - 1])
def test_max_points_out_of_range_is_refused(asked: int) -> None:
    with pytest.raises(FlickError, match="max_points: must be 10 to 5000"):
        plan_points(max_points=asked, series=1)


@given(asked=st.integers(MIN_POINTS, MAX_POINTS), series=st.integers(0, 25_000))
def test_an_answer_never_holds_more_points_than_can_be_sent(asked: int, series: int) -> None:
    points = plan_points(max_points=asked, series=series)

    assert MIN_POINTS <= points <= asked
    assert points * series <= MAX_ANSWER_POINTS


def test_more_series_than_an_answer_holds_are_refused() -> None:
    with pytest.raises(FlickError, match="ask for fewer names"):
        plan_points(max_points=0, series=25_001)


@given(span=spans, points=st.integers(MIN_POINTS, MAX_POINTS), data=st.data())
def test_samples_that_fit_are_answered_as_they_are(span: Span, points: int, data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, points))
    probe = Probe(rows=rows, first_us=span.start_us, last_us=span.end_us - 1)

    reading = plan_reading(span=span, points=points, series=1, probe=probe, now_us=NOW_US)

    assert (reading.span, reading.step_us) == (span, None)


@given(span=spans, points=st.integers(MIN_POINTS, MAX_POINTS))
def test_steps_lie_on_their_grid_cover_the_span_and_fit(span: Span, points: int) -> None:
    probe = Probe(rows=points + 1, first_us=span.start_us, last_us=span.end_us)

    reading = plan_reading(span=span, points=points, series=1, probe=probe, now_us=NOW_US)

    step_us = reading.step_us
    assert step_us is not None
    assert reading.span.start_us % step_us == reading.span.end_us % step_us == 0
    assert reading.span.start_us <= span.start_us < reading.span.start_us + step_us
    assert reading.span.end_us - step_us < span.end_us <= reading.span.end_us
    assert reading.span.length_us // step_us <= points


@given(span=spans, points=st.integers(MIN_POINTS, MAX_POINTS))
def test_steps_are_not_wider_than_they_must_be(span: Span, points: int) -> None:
    probe = Probe(rows=points + 1, first_us=span.start_us, last_us=span.end_us)

    reading = plan_reading(span=span, points=points, series=1, probe=probe, now_us=NOW_US)

    assert reading.step_us is not None
    assert (
        reading.step_us <= max(SECOND_US, 3 * (-(-span.length_us // (points - 1))))
        or reading.step_us % (86_400 * SECOND_US) == 0
    )


@pytest.mark.parametrize(
    ("hours", "points", "step_s"),
    [
        (1, 500, 10),
        (1, 360, 10),
        (1, 359, 15),
        (24, 500, 300),
        (24, 5000, 30),
        (24 * 30, 500, 7200),
        (24 * 365, 500, 86_400),
    ],
)
def test_usual_spans_get_usual_steps(hours: int, points: int, step_s: int) -> None:
    end_us = NOW_US // (24 * HOUR_US) * 24 * HOUR_US
    span = Span(start_us=end_us - hours * HOUR_US, end_us=end_us)
    probe = Probe(rows=points + 1, first_us=end_us - points * 60 * SECOND_US, last_us=end_us)

    reading = plan_reading(span=span, points=points, series=1, probe=probe, now_us=NOW_US)

    assert reading.step_us == step_s * SECOND_US


def _dense(span: Span, *, interval_s: int = 1, points: int = 500) -> Probe:
    """A probe of a span that holds a sample every `interval_s`."""
    return Probe(rows=points + 1, first_us=span.start_us, last_us=span.start_us + points * interval_s * SECOND_US)


def test_a_span_that_reads_too_much_is_refused_with_one_that_would_do() -> None:
    span = Span(start_us=NOW_US - 365 * 24 * HOUR_US, end_us=NOW_US)

    with pytest.raises(FlickError, match=r"start_time: .* ask for about \d+ hours at a time") as refused:
        plan_reading(span=span, points=500, series=1, probe=_dense(span), now_us=NOW_US)

    assert refused.value.kind is Kind.INVALID_ARGUMENT


def test_the_more_series_the_sooner_a_span_is_refused() -> None:
    span = Span(start_us=NOW_US - 20 * 24 * HOUR_US, end_us=NOW_US)

    assert plan_reading(span=span, points=500, series=25, probe=_dense(span), now_us=NOW_US).step_us
    with pytest.raises(FlickError, match="at a time"):
        plan_reading(span=span, points=500, series=40, probe=_dense(span), now_us=NOW_US)


def test_a_month_at_the_default_interval_is_answered() -> None:
    span = Span(start_us=NOW_US - 30 * 24 * HOUR_US, end_us=NOW_US)

    assert plan_reading(span=span, points=500, series=25, probe=_dense(span, interval_s=5), now_us=NOW_US).step_us


def test_a_long_span_of_a_young_server_is_answered() -> None:
    span = Span(start_us=NOW_US - 3650 * 24 * HOUR_US, end_us=NOW_US + 24 * HOUR_US)
    young = Span(start_us=NOW_US - 2 * HOUR_US, end_us=NOW_US)

    assert plan_reading(span=span, points=500, series=1, probe=_dense(young), now_us=NOW_US).step_us

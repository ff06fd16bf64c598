"""Which earlier time the present is compared with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError
from services.query.rules.compare import check_offset, whole_steps
from services.query.rules.plan import MAX_SPAN_US, SECOND_US, Probe, Span, plan_reading

SPAN = Span(start_us=MAX_SPAN_US * 2, end_us=MAX_SPAN_US * 2 + 3600 * SECOND_US)


@pytest.mark.parametrize(
    ("offset_us", "text"),
    [(-1, "negative"), (MAX_SPAN_US + 1, "more than 3660 days"), (MAX_SPAN_US, "")],
)
def test_an_offset_that_leads_nowhere_is_refused(offset_us: int, text: str) -> None:
    if not text:
        check_offset(offset_us, SPAN)
        return
    with pytest.raises(FlickError, match=f"compare_offset: .*{text}"):
        check_offset(offset_us, SPAN)


def test_an_offset_may_not_reach_before_the_epoch() -> None:
    with pytest.raises(FlickError, match="compare_offset: reaches before the year 1970"):
        check_offset(2 * SECOND_US, Span(start_us=SECOND_US, end_us=3 * SECOND_US))


@given(offset_us=st.integers(1, MAX_SPAN_US), step_us=st.integers(1, 10**12))
def test_an_offset_becomes_the_nearest_number_of_whole_steps_and_never_none(offset_us: int, step_us: int) -> None:
    rounded = whole_steps(offset_us, step_us)

    assert rounded % step_us == 0
    assert rounded >= step_us
    assert rounded == step_us or abs(rounded - offset_us) * 2 <= step_us


def test_without_steps_an_offset_stays_as_it_is() -> None:
    assert whole_steps(12345, None) == 12345


def test_two_readings_share_the_budget_of_one() -> None:
    span = Span(start_us=SPAN.start_us, end_us=SPAN.start_us + 15 * 86_400 * SECOND_US)
    probe = Probe(rows=501, first_us=span.start_us, last_us=span.start_us + 500 * SECOND_US)

    def plan(reads: int) -> int | None:
        return plan_reading(span=span, points=500, series=1, probe=probe, now_us=span.end_us, reads=reads).step_us

    assert plan(1)
    with pytest.raises(FlickError, match=r"start_time: .* ask for about 278 hours"):
        plan(2)

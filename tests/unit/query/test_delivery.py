"""The span of a question about delivery: whole hours, at most 31 days."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError, Kind
from services.query.rules.delivery import HOUR_US, MAX_SPAN_US, plan_delivery_span
from services.query.rules.plan import LAST_MOMENT_US

NOW_US = 1_800_000_000_000_000 + 25 * 60_000_000  # 25 minutes past an hour


def test_unset_it_is_the_last_hour_and_what_completes_its_hours() -> None:
    span = plan_delivery_span(start_us=None, end_us=None, now_us=NOW_US)

    assert (span.start_us, span.end_us) == (1_800_000_000_000_000 - HOUR_US, 1_800_000_000_000_000 + HOUR_US)


def test_whole_hours_are_taken_as_they_are() -> None:
    span = plan_delivery_span(start_us=5 * HOUR_US, end_us=7 * HOUR_US, now_us=NOW_US)

    assert (span.start_us, span.end_us) == (5 * HOUR_US, 7 * HOUR_US)


@given(st.integers(0, LAST_MOMENT_US - 1), st.integers(1, MAX_SPAN_US))
def test_everything_asked_for_is_within_and_less_than_two_hours_more(end_us: int, length_us: int) -> None:
    start_us = max(0, end_us - length_us)
    if start_us < end_us:
        span = plan_delivery_span(start_us=start_us, end_us=end_us, now_us=NOW_US)

        assert span.start_us <= start_us < end_us <= span.end_us
        assert span.start_us % HOUR_US == span.end_us % HOUR_US == 0
        assert span.length_us < end_us - start_us + 2 * HOUR_US


@pytest.mark.parametrize(
    ("start_us", "end_us", "field", "words"),
    [
        (NOW_US, NOW_US, "start_time", "before end_time"),
        (NOW_US - MAX_SPAN_US - 1, NOW_US, "start_time", "31 days"),
        (-1, NOW_US, "start_time", "1970"),
        (NOW_US, LAST_MOMENT_US, "end_time", "2100"),
    ],
    ids=["empty", "too long", "before 1970", "after 2100"],
)
def test_a_span_that_can_not_be_answered_is_refused(start_us: int, end_us: int, field: str, words: str) -> None:
    with pytest.raises(FlickError) as caught:
        plan_delivery_span(start_us=start_us, end_us=end_us, now_us=NOW_US)

    assert caught.value.kind is Kind.INVALID_ARGUMENT
    assert [one.field for one in caught.value.violations] == [field]
    assert words in caught.value.public

"""Which hours are over, and how a span is halved."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sealing.span import HOUR, Span, over_until

TEN = datetime(2026, 10, 20, 10, tzinfo=UTC)
SPAN = Span.of_hour(uuid.UUID(int=1), TEN)


@pytest.mark.parametrize(
    ("now", "after_s", "over"),
    [
        pytest.param(TEN, 0, TEN, id="at the very end"),
        pytest.param(TEN - timedelta(microseconds=1), 0, TEN - HOUR, id="a microsecond before it"),
        pytest.param(TEN + timedelta(minutes=14, seconds=59), 900, TEN - HOUR, id="just not long enough ago"),
        pytest.param(TEN + timedelta(minutes=15), 900, TEN, id="long enough ago"),
        pytest.param(TEN + timedelta(minutes=59), 7200, TEN - 2 * HOUR, id="hours ago"),
    ],
)
def test_an_hour_is_over_some_time_after_its_end(now: datetime, after_s: float, over: datetime) -> None:
    assert over_until(now, after_s=after_s) == over


@given(st.integers(2, 3_600_000_000))
def test_two_halves_are_the_whole_and_share_nothing(width_us: int) -> None:
    span = Span(server_id=SPAN.server_id, hour=TEN, start=TEN, end=TEN + timedelta(microseconds=width_us))
    first, second = span.halves()

    assert (first.start, second.end) == (span.start, span.end)
    assert first.end == second.start
    assert first.start < first.end
    assert second.start < second.end


def test_a_microsecond_has_no_halves() -> None:
    span = Span(server_id=SPAN.server_id, hour=TEN, start=TEN, end=TEN + timedelta(microseconds=1))

    with pytest.raises(ValueError, match="too large"):
        span.halves()

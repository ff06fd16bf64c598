"""Counters become rates, over wraps and resets."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.rate import Rate


def test_the_first_reading_has_no_rate() -> None:
    assert math.isnan(Rate().update(100, 1.0))


def test_a_counter_becomes_growth_per_second() -> None:
    rate = Rate()
    rate.update(100, 1.0)

    assert rate.update(350, 3.5) == pytest.approx(100.0)


def test_a_reset_counter_is_a_hole_and_then_goes_on() -> None:
    rate = Rate()
    rate.update(1_000_000, 1.0)

    assert math.isnan(rate.update(10, 2.0))
    assert rate.update(30, 3.0) == pytest.approx(20.0)


def test_a_counter_of_32_bits_wraps_around() -> None:
    rate = Rate()
    rate.update(2**32 - 100, 1.0)

    assert rate.update(200, 2.0) == pytest.approx(300.0)


def test_a_counter_of_64_bits_that_goes_back_was_reset() -> None:
    rate = Rate()
    rate.update(2**40, 1.0)

    assert math.isnan(rate.update(200, 2.0))


def test_no_time_between_readings_gives_no_rate() -> None:
    rate = Rate()
    rate.update(100, 1.0)

    assert math.isnan(rate.update(200, 1.0))


@given(st.lists(st.integers(min_value=0, max_value=2**64), min_size=1))
def test_a_rate_is_never_negative(values: list[int]) -> None:
    rate = Rate()
    rates = [rate.update(value, float(second)) for second, value in enumerate(values)]

    assert all(math.isnan(found) or found >= 0 for found in rates)

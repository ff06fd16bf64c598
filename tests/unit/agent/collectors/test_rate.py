"""Counters become rates, over wraps and resets."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.rate import Rate, Rates, total


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


def test_a_rate_has_seven_digits_and_no_more() -> None:
    rate = Rate()
    rate.update(0, 1.0)
    found = rate.update(1_234_567_891, 2.000000123)

    assert found == pytest.approx(1_234_567_891, rel=1e-6)
    assert struct.unpack("f", struct.pack("f", found)) == (found,)


def test_counters_that_belong_together_are_reset_together() -> None:
    rates = Rates()
    first = rates.update((100, 5), 1.0)
    grown = rates.update((150, 5), 2.0)
    other = rates.update((20, 900), 3.0)
    then = rates.update((30, 901), 4.0)

    assert all(math.isnan(rate) for rate in (*first, *other))
    assert (grown, then) == ([50.0, 0.0], [10.0, 1.0])


def test_one_of_several_counters_may_wrap() -> None:
    rates = Rates()
    rates.update((2**32 - 10, 7), 1.0)

    assert rates.update((10, 8), 2.0) == [20.0, 1.0]


@given(st.lists(st.tuples(st.integers(0, 2**64), st.integers(0, 2**64)), min_size=1))
def test_rates_are_never_negative(values: list[tuple[int, int]]) -> None:
    rates = Rates()
    found = [rate for second, pair in enumerate(values) for rate in rates.update(pair, float(second))]

    assert all(math.isnan(rate) or rate >= 0 for rate in found)


def test_the_total_is_of_what_is_known() -> None:
    assert total([1.0, math.nan, 2.0]) == 3.0
    assert math.isnan(total([math.nan]))
    assert math.isnan(total([]))

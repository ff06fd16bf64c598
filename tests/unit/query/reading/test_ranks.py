"""A rank among numbers in parts is the one that sorting all of them would find."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.reading.ranks import at_share

numbers = st.integers(-(2**40), 2**40) | st.integers(-3, 3)  # many that are equal, and negative ones


@given(st.lists(st.lists(numbers, max_size=30), min_size=1, max_size=8).filter(any), st.sampled_from([0, 0.5, 0.99, 1]))
def test_it_is_the_number_that_stands_there_when_all_are_sorted(parts: list[list[int]], share: float) -> None:
    ranked = sorted(one for part in parts for one in part)

    found = at_share([np.array(sorted(part), np.int64) for part in parts], share)

    assert found == ranked[max(1, math.ceil(share * len(ranked))) - 1]


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (2, 1), (3, 2), (100, 50), (101, 51)])
def test_the_median_is_the_lower_one_of_an_even_count(count: int, rank: int) -> None:
    assert at_share([np.arange(1, count + 1)], 0.5) == rank

"""Quantiles of histograms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.histogram import quantile


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ([], 0.5, None),
        ([(1.0, 0.0), (float("inf"), 0.0)], 0.5, None),
        ([(1.0, 10.0), (float("inf"), 10.0)], 0.5, 0.5),
        ([(1.0, 0.0), (2.0, 10.0), (float("inf"), 10.0)], 0.99, 1.99),
        ([(1.0, 5.0), (float("inf"), 10.0)], 0.99, 1.0),
    ],
    ids=["no bucket", "nothing observed", "linear in the first", "linear in the second", "beyond the last bound"],
)
def test_quantiles_of_a_histogram(buckets: list[tuple[float, float]], share: float, expected: float | None) -> None:
    assert quantile(buckets, share) == (None if expected is None else pytest.approx(expected))


@given(
    steps=st.lists(st.tuples(st.floats(0.001, 100), st.integers(0, 1000)), min_size=1, max_size=20),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_greater_share_has_no_smaller_quantile_and_none_is_beyond_the_bounds(
    steps: list[tuple[float, int]], shares: tuple[float, float]
) -> None:
    bound = count = 0.0
    buckets = []
    for width, more in steps:
        bound, count = bound + width, count + more
        buckets.append((bound, count))
    low, high = (quantile(buckets, share) for share in sorted(shares))
    if not count:
        assert (low, high) == (None, None)
        return

    assert low is not None
    assert high is not None
    assert 0 <= low <= high * (1 + 1e-9)
    assert high <= bound * (1 + 1e-9)

"""Quantiles of what a histogram has counted, as Prometheus estimates them. Pure."""

import math
from collections.abc import Sequence


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float | None:
    """The value that a share (0 to 1) of what was counted does not exceed; None when nothing was.

    Linear within a bucket. What lies beyond the last finite bound counts as that bound.

    Args:
        buckets: upper bounds in order, each with how much lies at or below it.
        share: which quantile.
    """
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank = share * buckets[-1][1]
    below_bound = below_count = 0.0
    for bound, count in buckets:
        if count >= rank and count > below_count:
            if math.isinf(bound):
                return below_bound
            return below_bound + (bound - below_bound) * (rank - below_count) / (count - below_count)
        below_bound, below_count = bound, count
    return below_bound

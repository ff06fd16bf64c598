"""Rollups held against what looking at every single sample gives."""

import math
from collections.abc import Sequence

from services.ingest.rollups.blocks import Rollup
from services.ingest.rollups.buckets import Buckets
from tests.unit.ingest.rollups import brute
from tests.unit.ingest.rollups.brute import Bucket, Measured

EXACT = 1e-12  # relative to the largest value of a bucket: what 8 bytes leave over
TINY = 1e-30  # of smaller values than this nothing is asked


def compare(
    rollups: Sequence[Rollup], samples: Sequence[Measured], bucket_us: int, *, core: int, rounded: float = EXACT
) -> None:
    """Assert that rollups are those of some samples of a server, no bucket more or less.

    Args:
        rollups: blocks of any spans and layouts.
        samples: everything that they are of.
        bucket_us: how long a bucket is.
        core: how many values of each sample are scalar metrics, which come first.
        rounded: how far averages of labelled values may be off, relative to the largest value.
    """
    expected, totals = brute.buckets(samples, bucket_us), brute.total_weights(samples, bucket_us)
    largest = brute.largest(samples, bucket_us)
    found: set[tuple[int, int, int]] = set()
    for rollup in rollups:
        for first, part, tolerance in ((0, rollup.core, EXACT), (core, rollup.labelled, rounded)):
            if part is None:
                continue
            for number, time_us in enumerate(part.times.tolist()):
                assert part.weights[number] == totals[rollup.layout_id, time_us]
                for metric in range(part.metrics):
                    place = rollup.layout_id, time_us, first + metric
                    assert place not in found, "a bucket is there twice"
                    found.add(place)
                    _compare(part, metric, number, expected[place], tolerance * max(largest[place], TINY))
    missing = expected.keys() - found
    assert found <= expected.keys()
    assert all(place[-1] < core and expected[place] is None for place in missing), "not even a scalar never measured"


def _compare(part: Buckets, metric: int, number: int, wanted: Bucket | None, tolerance: float) -> None:
    low, average, high = (float(one[metric, number]) for one in (part.low, part.average, part.high))
    if wanted is None:
        assert all(map(math.isnan, (low, average, high)))
        return
    weights = part.weights if part.metric_weights is None else part.metric_weights[metric]
    assert (low, high, weights[number]) == (wanted.low, wanted.high, wanted.weight)
    assert low <= average <= high
    assert abs(average - wanted.average) <= tolerance

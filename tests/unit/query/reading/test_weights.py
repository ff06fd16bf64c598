"""Samples stand for as long as ingest's rollups say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.rollups import weights as ingest
from services.query.reading import weights as query
from services.query.reading.weights import weigh
from services.query.rules.delivery import HOUR_US
from tests.unit.ingest.rollups.brute import Measured, weights

BEGIN_US = 490_000 * HOUR_US


@given(st.sets(st.integers(0, 3 * HOUR_US) | st.integers(0, 30).map(lambda number: number * 5_000_000)).map(sorted))
def test_weights_are_those_of_the_definition(offsets_us: list[int]) -> None:
    times_us = [BEGIN_US + one for one in offsets_us]

    found = weigh(np.array(times_us, np.int64))

    expected = weights([Measured(time_us, 0, []) for time_us in times_us])
    assert dict(zip(times_us, found.tolist(), strict=True)) == expected


def test_both_services_know_the_same_bounds() -> None:
    assert (query.CAP_DISTANCES, query.LONE_US) == (ingest.CAP_DISTANCES, ingest.LONE_US)

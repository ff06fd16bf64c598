"""Minutes, hours and days are what looking at every single sample gives, however the samples came."""

import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.rollups.blocks import Rollup, join_layouts, pack, unpack
from services.ingest.rollups.buckets import DAY_US, HOUR_US, MINUTE_US, Buckets
from services.ingest.rollups.minutes import Part, minutes_of
from tests.unit.ingest.rollups.brute import Measured
from tests.unit.ingest.rollups.comparing import compare

CORE = 3  # metrics of a test's samples; the others are labelled
MOST = 1e300  # ingest takes no value beyond it
OWNER = uuid.UUID(int=1)

# Hours in which something is unusual about time: a leap day, ends of a year, both changes of European summer time.
STARTS = [
    datetime(2024, 2, 28, 22, tzinfo=UTC),
    datetime(2023, 2, 28, 22, tzinfo=UTC),
    datetime(2024, 12, 31, 22, tzinfo=UTC),
    datetime(2026, 3, 29, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, tzinfo=UTC),
    datetime(1999, 12, 31, 23, tzinfo=UTC),
]

usual = st.sampled_from([0.0, 1.0, 0.1, -3.5, 1e9, 2.5e-7, 1 / 3])
values = st.one_of(usual, usual, st.just(math.nan), st.floats(-MOST, MOST))
floats32 = st.one_of(st.just(math.nan), st.floats(-(2.0**100), 2.0**100, width=32))


@st.composite
def histories(draw: st.DrawFn, hours: int = 3) -> list[Measured]:
    """Samples of a server in some hours, of several layouts; layout 0 has no labelled values."""
    start_us = int(draw(st.sampled_from(STARTS)).timestamp()) * 10**6
    steps = st.one_of(
        st.integers(0, hours * 3600 // 5 - 1).map(lambda step: step * 5_000_000),
        st.integers(0, hours * HOUR_US - 1),
        st.sampled_from([0, MINUTE_US - 1, MINUTE_US, HOUR_US - 1, (hours - 1) * HOUR_US, hours * HOUR_US - 1]),
    )
    moments = draw(st.sets(steps, min_size=1, max_size=40))
    partly = draw(st.booleans())
    core = values if partly else st.floats(-MOST, MOST)
    found = []
    for moment in sorted(moments):
        layout_id = draw(st.sampled_from([0, 7, 7, 9]))
        labelled = draw(st.lists(floats32, min_size=2, max_size=2)) if layout_id else []
        found.append(
            Measured(start_us + moment, layout_id, [*draw(st.lists(core, min_size=CORE, max_size=CORE)), *labelled])
        )
    return found


def parts_of(samples: Sequence[Measured]) -> list[Part]:
    """Samples of an hour as blocks would tell them, one of each layout."""
    parts = []
    for layout_id in {one.layout_id: None for one in samples}:
        same = sorted(one for one in samples if one.layout_id == layout_id)
        numbers = np.array([one.values for one in same]).T
        parts.append(
            Part(
                organization_id=OWNER,
                layout_id=layout_id,
                moments=np.array([one.moment for one in same]),
                core=numbers[:CORE],
                labelled=numbers[CORE:] if layout_id else None,
            )
        )
    return parts


def by_hour(samples: Sequence[Measured]) -> list[list[Measured]]:
    """The samples of each hour."""
    return [list(group) for _, group in groupby(sorted(samples), lambda one: one.moment // HOUR_US)]


def check(rollups: Sequence[Rollup], samples: Sequence[Measured], bucket_us: int, *, rounded: float) -> None:
    """Compare with what looking at every sample gives; `rounded`: how far labelled averages may be off."""
    compare(rollups, samples, bucket_us, core=CORE, rounded=rounded)


def all_minutes(samples: Sequence[Measured]) -> list[list[Rollup]]:
    return [minutes_of(parts_of(hour)) for hour in by_hour(samples)]


@given(histories())
def test_minutes_are_what_their_samples_give(samples: list[Measured]) -> None:
    for hour, rollups in zip(by_hour(samples), all_minutes(samples), strict=True):
        check(rollups, hour, MINUTE_US, rounded=1e-12)


@given(histories())
def test_blocks_keep_minutes_as_they_are(samples: list[Measured]) -> None:
    for rollup in (one for hour in all_minutes(samples) for one in hour):
        again = unpack(pack(rollup))

        assert again.layout_id == rollup.layout_id
        for before, after in ((rollup.core, again.core), (rollup.labelled, again.labelled)):
            if before is None or after is None:
                assert before is after
                continue
            rounded = before is rollup.labelled
            assert after.times.tolist() == before.times.tolist()
            assert after.weights.tolist() == before.weights.tolist()
            assert weights_of(after) == weights_of(before)
            for name in ("low", "average", "high"):
                wanted = getattr(before, name)
                wanted = wanted.astype(np.float32).astype(np.float64) if rounded else wanted
                np.testing.assert_array_equal(getattr(after, name), wanted)


def weights_of(part: Buckets) -> list[list[int]]:
    """Of each metric and bucket."""
    of_metrics = part.weights if part.metric_weights is None else part.metric_weights
    weights: list[list[int]] = np.broadcast_to(of_metrics, part.average.shape).tolist()
    return weights


@pytest.mark.parametrize("bucket_us", [HOUR_US, DAY_US], ids=["hours", "days"])
@given(samples=histories())
def test_hours_and_days_made_of_stored_minutes_are_what_all_their_samples_give(
    samples: list[Measured], bucket_us: int
) -> None:
    stored = [[unpack(pack(one)).gather(HOUR_US) for one in hour] for hour in all_minutes(samples)]
    hours = [unpack(pack(one)) for one in join_layouts(one for hour in stored for one in hour)]
    found = hours if bucket_us == HOUR_US else [one.gather(DAY_US) for one in hours]

    check(found, samples, bucket_us, rounded=1e-6)


@given(samples=histories(), data=st.data())
def test_an_hour_made_anew_takes_the_place_of_the_old_one_and_of_no_other(
    samples: list[Measured], data: st.DataObject
) -> None:
    late = set(data.draw(st.sets(st.sampled_from(range(len(samples))))))
    first = [one for number, one in enumerate(samples) if number not in late]
    stored: list[Rollup] = []
    for known in (first, samples):
        touched = {samples[number].moment // HOUR_US for number in late} if known is samples else None
        for hour in by_hour(known):
            if touched is None or hour[0].moment // HOUR_US in touched:
                stored = join_layouts([*stored, *(one.gather(HOUR_US) for one in minutes_of(parts_of(hour)))])

    check(stored, samples, HOUR_US, rounded=1e-6)


@given(samples=histories(hours=1), seed=st.integers(0, 2**32 - 1), pieces=st.integers(1, 4))
def test_in_how_many_blocks_an_hour_lies_and_in_which_order_makes_no_difference(
    samples: list[Measured], seed: int, pieces: int
) -> None:
    rng = np.random.default_rng(seed)
    dealt: list[list[Measured]] = [[] for _ in range(pieces)]
    for one in samples:
        dealt[rng.integers(pieces)].append(one)
    parts = [part for some in dealt if some for part in parts_of(some)]
    rng.shuffle(parts)

    check(minutes_of(parts), samples, MINUTE_US, rounded=1e-12)


def test_a_metric_that_came_later_was_not_measured_before() -> None:
    old = Part(organization_id=OWNER, layout_id=0, moments=np.array([0, 5]), core=np.ones((2, 2)), labelled=None)
    new = Part(organization_id=OWNER, layout_id=0, moments=np.array([10]), core=np.full((4, 1), 3.0), labelled=None)

    (rollup,) = minutes_of([old, new])

    assert rollup.core.low.tolist() == [[1.0], [1.0], [3.0], [3.0]]
    assert rollup.core.average[:, 0].tolist() == pytest.approx([1.0 + 2 * 15 / 25] * 2 + [3.0] * 2)
    assert rollup.core.weights.tolist() == [25]
    assert rollup.core.metric_weights is not None
    assert rollup.core.metric_weights.tolist() == [[25], [25], [15], [15]]


@given(seed=st.integers(0, 2**32 - 1), missing=st.sampled_from([0.0, 0.001, 0.5]))
@settings(max_examples=10)
def test_many_metrics_of_many_samples_are_gathered_as_each_by_itself(seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.arange(3600) * 1_000_000
    values = np.where(rng.random((40, 3600)) < missing, np.nan, rng.normal(size=(40, 3600)))
    together = Buckets.of_samples(times, np.full(3600, 1_000_000), values).gather(MINUTE_US)

    for metric in range(40):
        alone = Buckets.of_samples(times, np.full(3600, 1_000_000), values[[metric]]).gather(MINUTE_US)
        for name in ("low", "average", "high"):
            np.testing.assert_array_equal(getattr(together, name)[metric], getattr(alone, name)[0])
        assert weights_of(together)[metric] == weights_of(alone)[0]

"""What changed most: the score is robust, and rewards no tiny noise."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError
from flick.v1 import query_pb2
from services.query.rules.changes import check_limit, describe, plan_baseline, rank, score
from services.query.rules.plan import SECOND_US, Span

SPAN = Span(start_us=1000 * SECOND_US, end_us=1600 * SECOND_US)

values = st.lists(st.floats(-1e9, 1e9), min_size=5, max_size=50)


def _series(name: str, points: list[float], *, unit: str = "1", label: str = "") -> query_pb2.TimeSeries:
    labels = {"one": label} if label else {}
    return query_pb2.TimeSeries(name=name, labels=labels, unit=unit, times=range(len(points)), values=points)


def _noise(center: float, scatter: float, *, count: int = 200, seed: int = 1) -> list[float]:
    drawn = random.Random(seed)
    return [drawn.gauss(center, scatter) for _ in range(count)]


def test_of_normally_distributed_values_the_score_counts_standard_deviations() -> None:
    before, after = _noise(100, 20, count=5000), _noise(160, 20, count=5000, seed=2)

    assert score(before, after, unit="{thread}") == pytest.approx(3.0, rel=0.1)


def test_what_became_less_has_a_negative_score() -> None:
    assert score([8.0] * 9, [2.0] * 9, unit="{thread}") == -score([2.0] * 9, [8.0] * 9, unit="{thread}")
    assert score([8.0] * 9, [2.0] * 9, unit="{thread}") < 0


def test_outliers_hardly_move_the_score() -> None:
    before, after = _noise(10, 1), _noise(20, 1, seed=2)
    spoiled = [*after[:-10], *[1e9] * 10]

    assert score(before, spoiled, unit="{thread}") == pytest.approx(score(before, after, unit="{thread}"), rel=0.3)


@pytest.mark.parametrize(
    ("unit", "before", "after"),
    [("1", 0.0001, 0.0002), ("By", 4e9, 4e9 + 5000), ("By/s", 10.0, 400.0), ("Cel", 40.0, 40.1), ("s", 0.0, 0.0001)],
)
def test_a_constant_that_moves_a_hair_has_a_small_score(unit: str, before: float, after: float) -> None:
    assert 0 < score([before] * 100, [after] * 100, unit=unit) < 0.5


def test_a_constant_that_really_moves_has_a_large_one() -> None:
    assert score([0.02] * 100, [0.9] * 100, unit="1") > 15


def test_a_large_change_wins_over_noise_on_a_constant() -> None:
    before = [_series("busy", _noise(0.2, 0.05)), _series("constant", _noise(1e9, 10), unit="By")]
    after = [_series("busy", _noise(0.7, 0.05)), _series("constant", _noise(1e9 + 100, 10), unit="By")]

    changes, _ = rank(before, after, limit=10)
    assert [one.name for one in changes] == ["busy", "constant"]
    assert changes[0].score > 5 > 0.1 > changes[1].score


def test_series_are_compared_by_name_and_labels() -> None:
    before = [_series("disk", [0.1] * 9, label="sda"), _series("disk", [0.5] * 9, label="sdb")]
    after = [_series("disk", [0.5] * 9, label="sdb"), _series("disk", [0.9] * 9, label="sda")]

    changes, not_compared = rank(before, after, limit=10)
    assert [(dict(one.labels), one.score > 0) for one in changes] == [({"one": "sda"}, True), ({"one": "sdb"}, False)]
    assert not_compared == 0


def test_what_has_too_few_values_or_is_in_one_window_only_is_counted_and_not_compared() -> None:
    before = [_series("few", [1.0] * 9), _series("gone", [1.0] * 9), _series("there", [1.0] * 5)]
    after = [_series("few", [1.0] * 3 + [math.inf] * 9), _series("new", [1.0] * 9), _series("there", [1.0] * 5)]

    changes, not_compared = rank(before, after, limit=10)
    assert [one.name for one in changes] == ["there"]
    assert not_compared == 3


def test_so_many_changes_are_told_as_asked() -> None:
    series = [_series(f"series-{number}", [float(number)] * 9) for number in range(50)]
    changes, _ = rank([_series(one.name, [0.0] * 9) for one in series], series, limit=7)

    assert len(changes) == 7


@given(values=values)
def test_a_window_in_short_is_what_the_statistics_module_says(values: list[float]) -> None:
    found = describe(values)

    assert found.count == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert found.median == statistics.median(values)
    assert sum(one <= found.p95 for one in values) >= 0.95 * len(values)
    assert sum(one < found.p95 for one in values) < 0.95 * len(values)


@given(before=values, after=values, unit=st.sampled_from(["1", "By", "By/s", "s", "{thread}"]))
def test_a_score_is_a_number_whatever_the_values(before: list[float], after: list[float], unit: str) -> None:
    found = score(before, after, unit=unit)

    assert abs(found) <= 40, "twenty times the greater median, and twice that across zero"
    assert found == -score(after, before, unit=unit)


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [(None, None, (400, 1000)), (100, None, (100, 700)), (None, 900, (300, 900)), (10, 20, (10, 20))],
)
def test_the_baseline_is_as_long_as_the_window_unless_told_otherwise(
    start_s: int | None, end_s: int | None, expected: tuple[int, int]
) -> None:
    start_us, end_us = (None if one is None else one * SECOND_US for one in (start_s, end_s))
    baseline = plan_baseline(SPAN, start_us=start_us, end_us=end_us)

    assert (baseline.start_us, baseline.end_us) == tuple(one * SECOND_US for one in expected)


@pytest.mark.parametrize(("start_s", "end_s"), [(20, 10), (None, 10)])
def test_a_baseline_that_makes_no_sense_is_refused(start_s: int | None, end_s: int | None) -> None:
    start_us, end_us = (None if one is None else one * SECOND_US for one in (start_s, end_s))
    with pytest.raises(FlickError, match="baseline_start_time: "):
        plan_baseline(SPAN, start_us=start_us, end_us=end_us)


@pytest.mark.parametrize("limit", [-1, 201])
def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    with pytest.raises(FlickError, match="limit: must be 1 to 200"):
        check_limit(limit)

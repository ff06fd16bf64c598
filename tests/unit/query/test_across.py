"""Series of several servers, combined step by step."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError
from flick.v1 import options_pb2, query_pb2
from services.query.rules.across import Load, check_aggregation, combine, plan_fleet_reading
from services.query.rules.levels import SAMPLES
from services.query.rules.plan import MAX_READ_ROWS, SECOND_US, Probe, Span

AVERAGE, SUM = query_pb2.FLEET_AGGREGATION_AVERAGE, query_pb2.FLEET_AGGREGATION_SUM
LEAST, GREATEST = query_pb2.FLEET_AGGREGATION_MINIMUM, query_pb2.FLEET_AGGREGATION_MAXIMUM
QUANTILES, COUNT = query_pb2.FLEET_AGGREGATION_QUANTILES, query_pb2.FLEET_AGGREGATION_COUNT
NONE = query_pb2.FLEET_AGGREGATION_UNSPECIFIED
DAY = Span(start_us=20_000 * 86_400 * SECOND_US, end_us=20_001 * 86_400 * SECOND_US)
FULL_DAY = Probe(rows=501, first_us=DAY.start_us, last_us=DAY.start_us + 500 * 5 * SECOND_US)


def _series(points: dict[float, float]) -> query_pb2.TimeSeries:
    return query_pb2.TimeSeries(
        name="a",
        unit="By",
        kind=options_pb2.METRIC_KIND_GAUGE,
        labels={"one": "two"},
        times=list(points),
        values=list(points.values()),
        minima=[value - 1 for value in points.values()],
        maxima=[value + 1 for value in points.values()],
    )


SERVERS = [_series({0.0: 1.0, 60.0: 5.0}), _series({0.0: 2.0, 120.0: 7.0}), _series({0.0: 6.0, 60.0: 9.0})]


@pytest.mark.parametrize(
    ("aggregation", "values"),
    [
        (AVERAGE, [3.0, 7.0, 7.0]),
        (SUM, [9.0, 14.0, 7.0]),
        (LEAST, [0.0, 4.0, 6.0]),
        (GREATEST, [7.0, 10.0, 8.0]),
        (COUNT, [3.0, 2.0, 1.0]),
    ],
)
def test_a_step_combines_the_servers_that_are_in_it(
    aggregation: query_pb2.FleetAggregation.ValueType, values: list[float]
) -> None:
    ((share, series),) = combine(SERVERS, aggregation, [])

    assert share is None
    assert (list(series.times), list(series.values)) == ([0.0, 60.0, 120.0], values)
    assert (series.name, dict(series.labels)) == ("a", {"one": "two"})
    assert not series.minima
    assert series.unit == ("{server}" if aggregation == COUNT else "By")


def test_each_quantile_is_a_series() -> None:
    found = combine(SERVERS, QUANTILES, [0.0, 0.5, 0.75, 1.0])

    assert [(share, list(one.values)) for share, one in found] == [
        (0.0, [1.0, 5.0, 7.0]),
        (0.5, [2.0, 7.0, 7.0]),
        (0.75, [4.0, 8.0, 7.0]),
        (1.0, [6.0, 9.0, 7.0]),
    ]


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_quartiles_are_those_of_the_statistics_module(values: list[float]) -> None:
    found = combine([_series({0.0: value}) for value in values], QUANTILES, [0.25, 0.5, 0.75])

    expected = statistics.quantiles(values, n=4, method="inclusive")
    assert [one.values[0] for _, one in found] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("aggregation", "quantiles", "text"),
    [
        (17, [], "aggregation: is 17"),
        (QUANTILES, [], "quantiles: are needed"),
        (SUM, [0.5], "quantiles: are needed"),
        (QUANTILES, [0.5, 1.01], "quantiles: must each be 0 to 1"),
        (QUANTILES, [math.nan], "quantiles: must each be 0 to 1"),
        (QUANTILES, [0.5] * 11, "quantiles: holds 11 values"),
    ],
)
def test_what_can_not_be_combined_is_refused(
    aggregation: query_pb2.FleetAggregation.ValueType, quantiles: list[float], text: str
) -> None:
    with pytest.raises(FlickError, match=text):
        check_aggregation(aggregation, quantiles)


def _plan(probes: list[Probe], *, series: int = 1, least_step_us: int | None = None) -> int | None:
    return plan_fleet_reading(
        span=DAY,
        points=500,
        loads=[Load(DAY, one, SAMPLES, series) for one in probes],
        least_step_us=least_step_us,
        now_us=DAY.end_us,
    ).step_us


def test_few_samples_come_as_they_were_measured_unless_they_are_combined() -> None:
    few = Probe(rows=10, first_us=DAY.start_us, last_us=DAY.start_us + 9 * SECOND_US)

    assert _plan([few, few]) is None
    assert _plan([few, few], least_step_us=5 * SECOND_US) == 300 * SECOND_US
    assert _plan([few, FULL_DAY]) == 300 * SECOND_US


def test_a_step_is_no_shorter_than_any_servers_interval() -> None:
    assert _plan([FULL_DAY], least_step_us=700 * SECOND_US) == 900 * SECOND_US


def test_servers_are_refused_together_that_would_be_read_alone() -> None:
    rows_a_day = 17_280
    most = MAX_READ_ROWS // rows_a_day

    assert _plan([FULL_DAY] * most) is not None
    with pytest.raises(FlickError, match=r"start_time: .* ask for about 23.\d hours at a time, or for fewer servers"):
        _plan([FULL_DAY] * (most + 2))
    with pytest.raises(FlickError, match=r"start_time: reaches over 2\.1 times"):
        _plan([FULL_DAY] * 60, series=100)

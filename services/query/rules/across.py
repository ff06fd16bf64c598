"""Series of several servers combined step by step, and how much of several servers one call may read. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import NamedTuple, TypeAlias

from flick.errors import FlickError, invalid
from flick.v1 import options_pb2, query_pb2
from services.query.rules.levels import SAMPLES, Sources
from services.query.rules.plan import (
    MAX_READ_ROWS,
    MAX_READ_VALUES,
    Probe,
    Reading,
    Span,
    plan_step,
    read_rows,
)

MAX_SERVERS = 100
MAX_QUANTILES = 10

Aggregation: TypeAlias = query_pb2.FleetAggregation.ValueType
Combined: TypeAlias = list[tuple[float | None, query_pb2.TimeSeries]]
"""Series, each with the quantile that it is."""

_SIMPLE: Mapping[Aggregation, Callable[[Sequence[float]], float]] = {
    query_pb2.FLEET_AGGREGATION_AVERAGE: lambda values: sum(values) / len(values),
    query_pb2.FLEET_AGGREGATION_SUM: sum,
    query_pb2.FLEET_AGGREGATION_MINIMUM: min,
    query_pb2.FLEET_AGGREGATION_MAXIMUM: max,
    query_pb2.FLEET_AGGREGATION_COUNT: len,
}


def check_aggregation(aggregation: Aggregation, quantiles: Sequence[float]) -> None:
    """Raise INVALID_ARGUMENT naming the field when this is no way to combine series."""
    if aggregation not in query_pb2.FleetAggregation.values():
        raise invalid("aggregation", f"is {aggregation}, which is none of FleetAggregation.")
    wanted = aggregation == query_pb2.FLEET_AGGREGATION_QUANTILES
    if bool(quantiles) != wanted:
        raise invalid("quantiles", "are needed with FLEET_AGGREGATION_QUANTILES, and have no meaning with any other.")
    if len(quantiles) > MAX_QUANTILES:
        raise invalid("quantiles", f"holds {len(quantiles)} values; give at most {MAX_QUANTILES}.")
    if not all(0 <= one <= 1 for one in quantiles):
        raise invalid("quantiles", "must each be 0 to 1; write 0.95 for the 95th of 100.")


class Load(NamedTuple):
    """What one server has in one span: how it begins, what tells of it completely, and how many series are read."""

    span: Span
    probe: Probe
    sources: Sources
    series: int


def plan_fleet_reading(
    *, span: Span, points: int, loads: Sequence[Load], least_step_us: int | None, now_us: int
) -> Reading:
    """One reading for all servers, so that their steps are the same.

    Args:
        span: what is asked for.
        points: the most points a series may have.
        loads: what is read of each server, there and in an earlier span.
        least_step_us: the shortest step; None: samples may come as they were measured.
        now_us: the time; nothing is expected to be stored after it.

    Raises INVALID_ARGUMENT with advice when more would have to be read than one call may.
    """
    sources = reduce(Sources.both, (one.sources for one in loads)) if loads else SAMPLES
    if least_step_us is None and sources.samples and all(one.probe.rows <= points for one in loads):
        return Reading(span=span, step_us=None, sources=sources)
    step_us = plan_step(span, points, least_us=max(sources.least_us, least_step_us or 0))
    reading = Reading(span=span.aligned(step_us), step_us=step_us, sources=sources)
    rows = [read_rows(reading.level, one.sources, one.span, one.probe, now_us) for one in loads]
    values = sum(count * one.series for count, one in zip(rows, loads, strict=True))
    share = max(sum(rows) / MAX_READ_ROWS, values / MAX_READ_VALUES)
    if share > 1:
        raise _too_much(span, share)
    return reading


def _too_much(span: Span, share: float) -> FlickError:
    hours = span.length_us / 3_600_000_000 / share
    return invalid(
        "start_time",
        f"reaches over {share:.1f} times as many samples of these servers as one call reads; "
        f"ask for about {hours:.1f} hours at a time, or for fewer servers.",
    )


def combine(series: Sequence[query_pb2.TimeSeries], aggregation: Aggregation, quantiles: Sequence[float]) -> Combined:
    """Series of several servers, of the same name and labels and on the same steps, as one or one for each quantile."""
    by_time: dict[float, list[float]] = {}
    for one in series:
        for time, value in zip(one.times, _values(one, aggregation), strict=True):
            by_time.setdefault(time, []).append(value)
    steps = sorted(by_time.items())
    if aggregation != query_pb2.FLEET_AGGREGATION_QUANTILES:
        simple = _SIMPLE[aggregation]
        return [(None, _series(series[0], aggregation, steps, simple))]
    steps = [(time, sorted(values)) for time, values in steps]
    return [(share, _series(series[0], aggregation, steps, _quantile(share))) for share in quantiles]


def _values(series: query_pb2.TimeSeries, aggregation: Aggregation) -> Sequence[float]:
    if aggregation == query_pb2.FLEET_AGGREGATION_MINIMUM:
        return series.minima
    return series.maxima if aggregation == query_pb2.FLEET_AGGREGATION_MAXIMUM else series.values


def _series(
    like: query_pb2.TimeSeries,
    aggregation: Aggregation,
    steps: Sequence[tuple[float, Sequence[float]]],
    of: Callable[[Sequence[float]], float],
) -> query_pb2.TimeSeries:
    counts = aggregation == query_pb2.FLEET_AGGREGATION_COUNT
    return query_pb2.TimeSeries(
        name=like.name,
        labels=like.labels,
        unit="{server}" if counts else like.unit,
        kind=options_pb2.METRIC_KIND_GAUGE if counts else like.kind,
        times=[time for time, _ in steps],
        values=[of(values) for _, values in steps],
    )


def _quantile(share: float) -> Callable[[Sequence[float]], float]:
    """The quantile of sorted values, interpolated linearly as SQL's percentile_cont does."""

    def of(values: Sequence[float]) -> float:
        place = share * (len(values) - 1)
        low, high = values[math.floor(place)], values[math.ceil(place)]
        return low if low == high else low + (high - low) * (place - math.floor(place))

    return of

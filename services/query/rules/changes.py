"""What changed most between two windows of time. Pure.

The score of a series is the difference of its medians over its usual scatter. Median and median absolute deviation
(MAD) are not moved by a few outliers, as average and standard deviation are. The scatter has a floor, so that a series
that hardly moves at all does not win by moving a hair more. `MetricChange.score` in the contract says it in full.
"""

import math
import statistics
from collections.abc import Mapping, Sequence

from flick.errors import invalid
from flick.v1 import query_pb2
from services.query.rules.plan import Span, check_span

MIN_VALUES = 5  # the contract: fewer in a window say nothing
MAX_LISTED = 200
DEFAULT_LISTED = 20
EVER_GROWING = frozenset({"system.uptime"})  # not compared unless asked for by name

_NORMAL = 1.4826  # a MAD times this is the standard deviation, where values are normally distributed
_LEAST_SHARE = 0.05  # of the greater median: a change of less than that is nothing to most readers
_LEAST_OTHER = 0.25  # of what is counted one by one
_LEAST: Mapping[str, float] = {  # by unit: a change that nobody would care for
    "1": 0.005,
    "By": 1024.0**2,
    "By/s": 16.0 * 1024,
    "s": 0.001,
    "Hz": 5e7,
    "Cel": 0.5,
    "W": 0.5,
    "{cpu}": 0.01,
    "{revolution}/min": 50.0,
}


def describe(values: Sequence[float]) -> query_pb2.WindowStatistics:
    """A window in short; `values` is not empty."""
    ordered = sorted(values)
    rank = max(1, math.ceil(0.95 * len(ordered)))
    return query_pb2.WindowStatistics(
        count=len(ordered),
        mean=math.fsum(ordered) / len(ordered),
        median=statistics.median(ordered),
        p95=ordered[rank - 1],
    )


def score(before: Sequence[float], after: Sequence[float], *, unit: str) -> float:
    """How much the values changed, in units of their scatter; negative: they became less. Both are not empty."""
    medians = statistics.median(before), statistics.median(after)
    apart = [abs(one - medians[0]) for one in before] + [abs(one - medians[1]) for one in after]
    scatter = max(
        _NORMAL * statistics.median(apart),
        _LEAST_SHARE * max(map(abs, medians)),
        _LEAST.get(unit, _LEAST_OTHER),
    )
    return (medians[1] - medians[0]) / scatter


def rank(
    before: Sequence[query_pb2.TimeSeries], after: Sequence[query_pb2.TimeSeries], *, limit: int
) -> tuple[list[query_pb2.MetricChange], int]:
    """The greatest changes, those first, and how many series could not be compared."""
    earlier = {_key(one): _finite(one) for one in before}
    later = {_key(one): (one, _finite(one)) for one in after}
    changes = [
        _change(series, earlier[key], values)
        for key, (series, values) in later.items()
        if key in earlier and min(len(earlier[key]), len(values)) >= MIN_VALUES
    ]
    greatest = sorted(changes, key=lambda one: abs(one.score), reverse=True)
    return greatest[:limit], len(earlier.keys() | later.keys()) - len(changes)


def check_limit(limit: int) -> int:
    """How many changes are listed. Raises INVALID_ARGUMENT when `limit` is out of range."""
    if limit and not 1 <= limit <= MAX_LISTED:
        raise invalid("limit", f"must be 1 to {MAX_LISTED}, or 0 for {DEFAULT_LISTED}.")
    return limit or DEFAULT_LISTED


def plan_baseline(span: Span, *, start_us: int | None, end_us: int | None) -> Span:
    """What the span is compared with; as long as it, and right before it, where nothing else is asked for.

    Raises INVALID_ARGUMENT naming the field when it is empty, too long or out of range.
    """
    if end_us is None:
        end_us = span.start_us if start_us is None else start_us + span.length_us
    if start_us is None:
        start_us = end_us - span.length_us
    return check_span(start_us, end_us, start="baseline_start_time", end="baseline_end_time")


def _change(series: query_pb2.TimeSeries, before: Sequence[float], after: Sequence[float]) -> query_pb2.MetricChange:
    return query_pb2.MetricChange(
        name=series.name,
        labels=series.labels,
        unit=series.unit,
        kind=series.kind,
        before=describe(before),
        after=describe(after),
        score=score(before, after, unit=series.unit),
    )


def _finite(series: query_pb2.TimeSeries) -> list[float]:
    return [one for one in series.values if math.isfinite(one)]


def _key(series: query_pb2.TimeSeries) -> tuple[str, frozenset[tuple[str, str]]]:
    return series.name, frozenset(series.labels.items())

"""What one executable or text file tells, and how its counters become rates."""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from agent.collectors.collector import CustomMetric
from agent.collectors.rate import short
from flick.custom_metrics import MAX_VALUE, rate_unit
from flick.exposition import Value, parse
from flick.v1 import options_pb2

MAX_SERIES = 500  # of one file

CustomKey: TypeAlias = tuple[CustomMetric, tuple[str, ...]]
"""A series of a custom metric: as a `SeriesKey` is."""

_Counters = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


class Told(NamedTuple):
    """What was told at one moment, `at_s` by a clock that only goes on."""

    at_s: float
    values: tuple[Value, ...]


def read_told(text: bytes, *, at_s: float) -> Told:
    """What a text tells. Raises ValueError naming the first line that is wrong: then none of it counts.

    A half of what was to be told could be taken for the whole.
    """
    found = parse(text.decode())
    if found.faults:
        line, reason = found.faults[0]
        raise ValueError(f"line {line}: {reason}")
    for value in found.values:
        if value.time_ms is not None:
            raise ValueError(f"line {value.line}: tells a time; leave it out, values are as old as their sample.")
    if len(found.values) > MAX_SERIES:
        raise ValueError(f"tells {len(found.values)} values; {MAX_SERIES} at most.")
    return Told(at_s, tuple(found.values))


class Meter:
    """One file's values: gauges as they are told, counters by second since they were told before.

    A counter that is less than before was reset, and leaves a hole.
    """

    def __init__(self) -> None:
        self._told: Told | None = None
        self._counters: _Counters = {}
        self.values: Mapping[CustomKey, float] = {}

    def update(self, told: Told) -> bool:
        """Take what is told; returns whether it is news. The very same object tells nothing new."""
        if told is self._told:
            return False
        before_s = math.nan if self._told is None else self._told.at_s
        before, self._told = self._counters, told
        self._counters = {(one.name, one.labels): one.value for one in told.values if one.is_counter}
        passed_s = told.at_s - before_s
        self.values = {
            _key(one): _rate(before, one, passed_s) if one.is_counter else _fit(one.value) for one in told.values
        }
        return True


def _key(value: Value) -> CustomKey:
    metric = CustomMetric(
        name=value.name,
        unit=rate_unit(value.unit) if value.is_counter else value.unit,
        kind=options_pb2.METRIC_KIND_RATE if value.is_counter else options_pb2.METRIC_KIND_GAUGE,
        description=value.description,
        label_keys=tuple(key for key, _ in value.labels),
    )
    return metric, tuple(text for _, text in value.labels)


def _rate(before: _Counters, value: Value, passed_s: float) -> float:
    growth = value.value - before.get((value.name, value.labels), math.nan)
    return _fit(growth / passed_s) if passed_s > 0 and growth >= 0 else math.nan


def _fit(value: float) -> float:
    """The value as it is stored; what is no number, or too large for one, is a hole."""
    return short(value) if -MAX_VALUE <= value <= MAX_VALUE else math.nan

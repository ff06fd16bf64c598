"""One measurement of everything, for a person or a program to read."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from agent.catalog import CATALOG
from agent.collection import Collection, Readings
from agent.collectors.collector import CustomMetric, Moment
from agent.collectors.failure import Failure
from flick.clock import Clock
from flick.v1 import telemetry_pb2

_BETWEEN_S = 1.0  # rates need two moments


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the catalogue; None: it could not be measured."""

    name: str
    labels: dict[str, str]
    unit: str
    value: float | None


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """A process; the fields are those of `flick.v1.Process`, None where they are unset."""

    pid: int
    name: str
    command: str
    user: str
    state: str
    cpu_utilization: float
    memory_rss: int
    thread_count: int
    disk_read: int | None
    disk_write: int | None


@dataclass(frozen=True, slots=True)
class Failing:
    """A collector that can't measure, and why."""

    collector: str
    reason: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, and what could not be."""

    metrics: tuple[Value, ...]
    processes: tuple[ProcessLine, ...]
    failing: tuple[Failing, ...]

    def as_json(self) -> dict[str, object]:
        """As plain data; what could not be measured is null."""
        return asdict(self)


async def measure(*, collection: Collection, clock: Clock) -> Measurement:
    """Ask the collectors twice, a second apart, so that there are rates."""
    collection.collect(_moment(clock))
    await clock.sleep(_BETWEEN_S)
    return described(collection.collect(_moment(clock)), collection.failing)


def described(readings: Readings, failing: Sequence[Failure]) -> Measurement:
    """Readings with their names."""
    scalars = [_value(number, (), value) for number, value in enumerate(readings.core, start=1)]
    labelled = [_value(*key, value) for key, value in zip(readings.series, readings.values, strict=True)]
    snapshot = telemetry_pb2.ProcessSnapshot.FromString(readings.processes)
    return Measurement(
        metrics=(*scalars, *labelled),
        processes=tuple(_process(process) for process in snapshot.processes),
        failing=tuple(Failing(failure.collector, failure.reason) for failure in failing),
    )


def _value(metric: int | CustomMetric, label_values: tuple[str, ...], value: float) -> Value:
    if isinstance(metric, CustomMetric):
        labels = dict(zip(metric.label_keys, label_values, strict=True))
        return Value(metric.name, labels, metric.unit, value if math.isfinite(value) else None)
    entry = CATALOG[metric]
    fixed = dict(label.split("=", 1) for label in entry.fixed_labels)
    labels = {**fixed, **dict(zip(entry.label_keys, label_values, strict=True))}
    return Value(name=entry.name, labels=labels, unit=entry.unit, value=value if math.isfinite(value) else None)


def _process(process: telemetry_pb2.Process) -> ProcessLine:
    return ProcessLine(
        pid=process.pid,
        name=process.name,
        command=process.command,
        user=process.user,
        state=process.state,
        cpu_utilization=process.cpu_utilization,
        memory_rss=process.memory_rss,
        thread_count=process.thread_count,
        disk_read=process.disk_read if process.HasField("disk_read") else None,
        disk_write=process.disk_write if process.HasField("disk_write") else None,
    )


def _moment(clock: Clock) -> Moment:
    return Moment(monotonic_s=clock.monotonic_s(), boottime_s=clock.boottime_s())

"""Pushed values as samples: their layouts, what counters grew by, and the moments at which they are stored. Pure."""

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from typing import NamedTuple

from flick.custom_metrics import MAX_VALUE
from flick.v1 import telemetry_pb2
from services.ingest.push.reading import Point, Series, SeriesId

SLOTS = 1000  # microseconds of the millisecond that a push tells: pushes of other series at the same time take the next


class Count(NamedTuple):
    """What was pushed of a counter last."""

    time_ms: int
    value: float


class Stored(NamedTuple):
    """A sample that is there: its time in microseconds since the Unix epoch, its layout, and its values."""

    time_us: int
    layout_id: int
    values: Sequence[float | None]


def layout_of(series: Iterable[Series]) -> telemetry_pb2.Layout:
    """The layout of a sample of these series, without a number."""
    layout = telemetry_pb2.Layout()
    places: dict[tuple[object, ...], int] = {}
    for one in series:
        keys = tuple(key for key, _ in one.labels)
        metric = (one.name, one.unit, one.kind, one.description, keys)
        if metric not in places:
            places[metric] = len(places) + 1
            layout.custom_metrics.add(
                name=one.name, unit=one.unit, kind=one.kind, description=one.description, label_keys=keys
            )
        layout.series.add(custom_metric=places[metric], label_values=[value for _, value in one.labels])
    return layout


def digest_of(series: SeriesId) -> bytes:
    """By which a series is found among those of its server. Lengths keep what is beside each other apart."""
    name, labels = series
    packed = hashlib.sha256()
    for text in (name, *(part for label in labels for part in label)):
        raw = text.encode()
        packed.update(len(raw).to_bytes(4, "big") + raw)
    return packed.digest()


def value_of(point: Point, counts: MutableMapping[SeriesId, Count]) -> float | None:
    """What is stored of a point: of a gauge its value, of a counter its growth by second since `counts`, which goes on.

    NaN: there is nothing to compare with, or the counter was reset. None: it is older than what was pushed last.
    """
    if not point.series.is_counter:
        return short(point.value)
    before = counts.get(point.series.id)
    if before is not None and point.time_ms <= before.time_ms:
        return None
    counts[point.series.id] = Count(point.time_ms, point.value)
    if before is None or point.value < before.value:
        return math.nan
    rate = (point.value - before.value) * 1000 / (point.time_ms - before.time_ms)
    return short(rate) if rate <= MAX_VALUE else math.nan


def same_gauges(points: Sequence[Point], stored: Stored) -> bool:
    """Whether a sample of the same layout has the same gauges. What counters were, is not known any more."""
    return all(
        point.series.is_counter or value == short(point.value)
        for point, value in zip(points, stored.values, strict=True)
    )


def free_slot(time_ms: int, taken_us: Collection[int]) -> int | None:
    """The first microsecond of a millisecond at which no sample lies; None: all are taken."""
    start_us = time_ms * 1000
    return next((time_us for time_us in range(start_us, start_us + SLOTS) if time_us not in taken_us), None)


def short(value: float) -> float:
    """The value as four bytes hold it."""
    return telemetry_pb2.Sample(labelled=[value]).labelled[0]


def newest(points: Iterable[Point]) -> Mapping[SeriesId, Point]:
    """The newest point of each series."""
    return {point.series.id: point for point in sorted(points, key=lambda one: one.time_ms)}

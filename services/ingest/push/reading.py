"""A push as it comes: which of its values can be stored, and why the others can't. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from flick.custom_metrics import (
    MAX_VALUE,
    description_of,
    labels_fault,
    name_fault,
    rate_unit,
    unit_fault,
    unit_of,
)
from flick.errors import FlickError, Kind, Violation, invalid
from flick.exposition import parse
from flick.v1 import options_pb2, push_pb2

MAX_BYTES = 1024 * 1024
MAX_VALUES = 2000
MAX_LINES = 10_000  # of text, with comments and what is left out
MAX_MOMENTS = 1000
MAX_TOLD = 100  # rejections in an answer
FUTURE_TOLERANCE_MS = 10_000  # as with agents' samples
DAY_MS = 86_400_000

SeriesId: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""What tells a series from another: the metric's name, and labels in the order of their keys."""


class Series(NamedTuple):
    """A series, and how its metric is described. `unit` is that of what is stored."""

    name: str
    labels: tuple[tuple[str, str], ...]
    unit: str
    is_counter: bool
    description: str

    @property
    def id(self) -> SeriesId:
        """What tells it from another."""
        return self.name, self.labels

    @property
    def kind(self) -> options_pb2.MetricKind.ValueType:
        """How its stored values are to be read."""
        return options_pb2.METRIC_KIND_RATE if self.is_counter else options_pb2.METRIC_KIND_GAUGE


class Point(NamedTuple):
    """A value of a series at a moment, milliseconds since the Unix epoch. `field`: where it stands in the request."""

    field: str
    series: Series
    time_ms: int
    value: float


@dataclass(slots=True)
class Rejections:
    """What was refused: how many values, and the first of them with their reasons."""

    count: int = 0
    told: list[Violation] = field(default_factory=list)

    def add(self, field: str, description: str) -> None:
        """Refuse a value."""
        self.count += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(Violation(field=field, description=description))


class _RefusedError(Exception):
    def __init__(self, field: str, description: str) -> None:
        super().__init__(description)
        self.field = field
        self.description = description


def read_push(
    request: push_pb2.PushMetricsRequest, *, now_ms: int, retention_days: int, rejections: Rejections
) -> Sequence[Point]:
    """The values that can be stored; the others are added to `rejections`.

    Raises INVALID_ARGUMENT when the request is empty or can't be read, RESOURCE_EXHAUSTED when it is too large.
    """
    if request.ByteSize() > MAX_BYTES:
        raise FlickError(Kind.RESOURCE_EXHAUSTED, f"A push has at most {MAX_BYTES} bytes. Split it.")
    default_ms = _time_ms(request.time, "time") if request.HasField("time") else now_ms
    found: dict[tuple[SeriesId, int], Point] = {}
    for point in _each(_points(request, default_ms, rejections), now_ms, retention_days, rejections):
        key = (point.series.id, point.time_ms)
        if key in found:
            rejections.add(point.field, f"has the same name, labels and time as {found[key].field}; give it once.")
        else:
            found[key] = point
    if len(found) + rejections.count > MAX_VALUES:
        raise invalid("values", f"are {len(found) + rejections.count}; push at most {MAX_VALUES} in one call.")
    if len({point.time_ms for point in found.values()}) > MAX_MOMENTS:
        raise invalid("values", f"are of more than {MAX_MOMENTS} moments; push fewer in one call.")
    if not found and not rejections.count:
        raise invalid("values", "are none, and text holds none either; push at least one value.")
    return list(found.values())


def _points(request: push_pb2.PushMetricsRequest, default_ms: int, rejections: Rejections) -> Iterator[Point]:
    for index, value in enumerate(request.values):
        try:
            yield _of_value(f"values[{index}]", value, default_ms)
        except _RefusedError as refused:
            rejections.add(refused.field, refused.description)
    lines = 1 + request.text.data.count(b"\n")
    if lines > MAX_LINES:
        raise invalid("text", f"has {lines} lines; push at most {MAX_LINES} in one call.")
    try:
        exposition = parse(request.text.data.decode())
    except UnicodeDecodeError as error:
        raise invalid("text", f"is no UTF-8 at byte {error.start}.") from error
    for line, reason in exposition.faults:
        rejections.add(f"text: line {line}", reason)
    for one in exposition.values:
        unit = rate_unit(one.unit) if one.is_counter else one.unit
        series = Series(one.name, one.labels, unit, one.is_counter, one.description)
        if fault := unit_fault(one.unit):
            rejections.add(f"text: line {one.line}", f"the unit {fault}")
        else:
            yield Point(f"text: line {one.line}", series, default_ms if one.time_ms is None else one.time_ms, one.value)


def _of_value(where: str, value: push_pb2.PushedValue, default_ms: int) -> Point:
    labels = {key: text for key, text in value.labels.items() if text}
    for name, fault in (
        ("name", name_fault(value.name)),
        ("labels", labels_fault(labels)),
        ("unit", unit_fault(value.unit)),
        ("type", "" if value.type in push_pb2.PushedType.values() else "is none of PushedType."),
    ):
        if fault:
            raise _RefusedError(f"{where}.{name}", fault)
    is_counter = value.type == push_pb2.PUSHED_TYPE_COUNTER or (not value.type and value.name.endswith("_total"))
    unit = value.unit or unit_of(value.name)
    series = Series(
        value.name,
        tuple(sorted(labels.items())),
        rate_unit(unit) if is_counter else unit,
        is_counter,
        description_of(value.description),
    )
    try:
        time_ms = _time_ms(value.time, "time") if value.HasField("time") else default_ms
    except FlickError as error:
        raise _RefusedError(f"{where}.time", error.violations[0].description) from error
    return Point(where, series, time_ms, value.value)


def _each(points: Iterable[Point], now_ms: int, retention_days: int, rejections: Rejections) -> Iterator[Point]:
    """Those whose value and time can be stored."""
    for point in points:
        ahead_ms = point.time_ms - now_ms
        if not -MAX_VALUE <= point.value <= MAX_VALUE:
            said = "no number" if math.isnan(point.value) else f"{point.value:g}"
            rejections.add(_part(point, "value"), f"is {said}; push a number between -{MAX_VALUE:g} and {MAX_VALUE:g}.")
        elif ahead_ms > FUTURE_TOLERANCE_MS:
            rejections.add(_part(point, "time"), f"is {ahead_ms / 1000:.1f} s ahead of the clock here; set your clock.")
        elif -ahead_ms > retention_days * DAY_MS:
            kept = f"the {retention_days} days that this server's samples are kept"
            rejections.add(_part(point, "time"), f"is older than {kept}.")
        else:
            yield point


def _part(point: Point, name: str) -> str:
    """The field to blame: in a text it is the line."""
    return f"{point.field}.{name}" if point.field.startswith("values") else point.field


def _time_ms(stamp: Timestamp, field: str) -> int:
    """Milliseconds since the Unix epoch. Raises INVALID_ARGUMENT when it is no moment from 1970 to 9999."""
    if not 0 <= stamp.seconds < 253_402_300_800 or not 0 <= stamp.nanos < 10**9:
        raise invalid(field, "must lie between the years 1970 and 9999, with nanos of 0 to 999999999.")
    return stamp.seconds * 1000 + stamp.nanos // 1_000_000


def by_moment(points: Iterable[Point]) -> Mapping[int, Sequence[Point]]:
    """The points of each moment in the order of their series; moments in the order of time."""
    found: dict[int, list[Point]] = {}
    for point in sorted(points, key=lambda one: (one.time_ms, one.series.id)):
        found.setdefault(point.time_ms, []).append(point)
    return found

"""What every collector is: something that is asked at a moment and answers with values of the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from flick.v1 import options_pb2


class CustomMetric(NamedTuple):
    """A metric that is not in the catalogue; the fields are those of `flick.v1.CustomMetric`."""

    name: str
    unit: str
    kind: options_pb2.MetricKind.ValueType
    description: str
    label_keys: tuple[str, ...]

    @property
    def text_bytes(self) -> int:
        """How many bytes all its text has."""
        return sum(len(text.encode()) for text in (self.name, self.unit, self.description, *self.label_keys))


SeriesKey: TypeAlias = tuple[int | CustomMetric, tuple[str, ...]]
"""A labelled series: the metric's number, or a custom metric, and the values of its label keys in their order."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When collectors are asked. Both clocks as `flick.clock.Clock` has them, in seconds."""

    monotonic_s: float
    boottime_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a collector found at one moment.

    Args:
        core: values of scalar metrics by the metric's number.
        series: the labelled series, the same tuple as long as the set of series is the same.
        values: their values, in that order.
        processes: a serialized `flick.v1.ProcessSnapshot`.
        failing: parts of the collector that can't measure, each with the reason.
    """

    core: Mapping[int, float] = field(default_factory=dict)
    series: tuple[SeriesKey, ...] = ()
    values: Sequence[float] = ()
    processes: bytes = b""
    failing: Mapping[str, str] = field(default_factory=dict)


class Collector(Protocol):
    """Measures one thing. The first answer has no rates: they need two moments."""

    name: str

    def collect(self, moment: Moment) -> Measured:
        """Measure. Raises OSError or ValueError when the system does not say what is asked."""
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...

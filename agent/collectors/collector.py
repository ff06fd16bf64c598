"""What every collector is: something that is asked at a moment and answers with values of the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

SeriesKey = tuple[int, tuple[str, ...]]
"""A labelled series: the metric's number and the values of its label keys, in the catalogue's order."""


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
    """

    core: Mapping[int, float] = field(default_factory=dict)
    series: tuple[SeriesKey, ...] = ()
    values: Sequence[float] = ()
    processes: bytes = b""


class Collector(Protocol):
    """Measures one thing. The first answer has no rates: they need two moments."""

    name: str

    def collect(self, moment: Moment) -> Measured:
        """Measure. Raises OSError or ValueError when the system does not say what is asked."""
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...

"""Services: their states and restarts as systemd tells them, and what their control groups use."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from agent.collectors.cgroups.hierarchy import CGROUPS, this_hierarchy
from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.rate import Rate
from agent.collectors.services.choice import ServiceChoice
from agent.collectors.services.systemctl import Unit
from flick.v1 import catalog_pb2 as catalog

BOOTED = Path("/run/systemd/system")  # sd_booted(3): it is there where systemd runs
_METRICS = (
    catalog.METRIC_UNIT_STATE,
    catalog.METRIC_UNIT_RESTARTS,
    catalog.METRIC_UNIT_CPU,
    catalog.METRIC_UNIT_MEMORY,
)
_US_PER_S = 1_000_000


class ServicesCollector:
    """Measures the services that are chosen; nothing where there is no systemd.

    Args:
        choice: which ones; shared by all sets of collectors.
        booted: is there where systemd runs.
        cgroups: where control groups are mounted.
    """

    name = "services"

    def __init__(self, *, choice: ServiceChoice, booted: Path = BOOTED, cgroups: Path = CGROUPS) -> None:
        self._choice = choice
        self._booted = os.fspath(booted)
        self._hierarchy = this_hierarchy(cgroups)
        self._units: Sequence[Unit] = ()
        self._cpu: dict[str, Rate] = {}
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        if not os.path.exists(self._booted):  # noqa: PTH110 - asked at every moment
            return Measured()
        units = self._choice.at(moment.monotonic_s)
        if units is not self._units:
            self._follow(units)
        values = [value for unit in units for value in self._measure(unit, moment.monotonic_s)]
        return Measured(series=self._series, values=values)

    def close(self) -> None:
        """See `Collector`."""

    def _follow(self, units: Sequence[Unit]) -> None:
        self._units = units
        if [unit.name for unit in units] != list(self._cpu):
            self._cpu = {unit.name: self._cpu.get(unit.name) or Rate(wraps=False) for unit in units}
            self._series = tuple((metric, (name,)) for name in self._cpu for metric in _METRICS)

    def _measure(self, unit: Unit, now_s: float) -> tuple[float, float, float, float]:
        """The values of `_METRICS`."""
        cpu_us = memory = None
        if unit.group and self._hierarchy is not None:
            cpu_us, memory = self._hierarchy.cpu_us(unit.group), self._hierarchy.memory(unit.group)
        used = math.nan if cpu_us is None else self._cpu[unit.name].update(cpu_us, now_s) / _US_PER_S
        return unit.state, float(unit.restarts), used, math.nan if memory is None else float(memory)

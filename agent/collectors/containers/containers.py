"""What containers use: processors, memory, disks, network, tasks."""

import math
from collections.abc import Sequence
from pathlib import Path

from agent.collectors.cgroups.hierarchy import CGROUPS, this_hierarchy
from agent.collectors.cgroups.usage import Hierarchy, Usage
from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.containers.choice import ContainerChoice
from agent.collectors.containers.identity import Container
from agent.collectors.containers.traffic import ContainerTraffic
from agent.collectors.proc_file import PROC
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog

_METRICS = (
    catalog.METRIC_CONTAINER_CPU,
    catalog.METRIC_CONTAINER_CPU_THROTTLED,
    catalog.METRIC_CONTAINER_MEMORY,
    catalog.METRIC_CONTAINER_MEMORY_WORKING_SET,
    catalog.METRIC_CONTAINER_MEMORY_LIMIT,
    catalog.METRIC_CONTAINER_DISK_READ,
    catalog.METRIC_CONTAINER_DISK_WRITE,
    catalog.METRIC_CONTAINER_NETWORK_RECEIVE,
    catalog.METRIC_CONTAINER_NETWORK_TRANSMIT,
    catalog.METRIC_CONTAINER_TASKS,
)
_US_PER_S = 1_000_000


class ContainersCollector:
    """Measures the containers that are chosen; nothing where there are none.

    Args:
        choice: which ones; shared by all sets of collectors.
        cgroups, root: where control groups and /proc are mounted.
    """

    name = "containers"

    def __init__(self, *, choice: ContainerChoice, cgroups: Path = CGROUPS, root: Path = PROC) -> None:
        self._choice = choice
        self._hierarchy = this_hierarchy(cgroups)
        self._root = root
        self._chosen: Sequence[Container] = ()
        self._meters: dict[str, _Meter] = {}
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        if self._hierarchy is None:
            return Measured()
        chosen = self._choice.at(moment.monotonic_s)
        if chosen is not self._chosen:
            self._follow(chosen, self._hierarchy)
        values = [value for meter in self._meters.values() for value in meter.read(moment.monotonic_s)]
        return Measured(series=self._series, values=values)

    def close(self) -> None:
        """See `Collector`."""

    def _follow(self, chosen: Sequence[Container], hierarchy: Hierarchy) -> None:
        self._chosen = chosen
        same = [container.name for container in chosen] == list(self._meters)
        known = {meter.container: meter for meter in self._meters.values()}
        self._meters = {
            container.name: known.get(container) or _Meter(container, hierarchy=hierarchy, root=self._root)
            for container in chosen
        }
        if not same:
            self._series = tuple((metric, (name,)) for name in self._meters for metric in _METRICS)


class _Meter:
    """One container's counters between two moments."""

    def __init__(self, container: Container, *, hierarchy: Hierarchy, root: Path) -> None:
        self.container = container
        self._hierarchy = hierarchy
        self._traffic = ContainerTraffic(tree=hierarchy.tree, group=container.group, root=root)
        self._rates = tuple(Rate(wraps=False) for _ in range(5))
        self._before: Usage | None = None

    def read(self, now_s: float) -> list[float]:
        """The values of `_METRICS`."""
        if not self.container.group:  # it has gone
            return [math.nan] * len(_METRICS)
        usage, moved = self._hierarchy.usage(self.container.group), self._traffic.bytes_moved()
        before, self._before = self._before, usage
        received, sent = moved or (None, None)
        counters = (usage.cpu_us, usage.bytes_read, usage.bytes_written, received, sent)
        cpu_us, *transfers = (
            math.nan if counter is None else rate.update(counter, now_s)
            for rate, counter in zip(self._rates, counters, strict=True)
        )
        return [
            cpu_us / _US_PER_S,
            _throttled(before, usage),
            _known(usage.memory),
            _working_set(usage),
            _known(usage.memory_limit),
            *transfers,
            _known(usage.tasks),
        ]


def _throttled(before: Usage | None, after: Usage) -> float:
    if before is None or before.periods is None or after.periods is None:
        return math.nan
    periods = after.periods - before.periods
    held_up = (after.throttled or 0) - (before.throttled or 0)
    if periods < 0 or held_up < 0:
        return math.nan
    return min(held_up / periods, 1.0) if periods else 0.0


def _working_set(usage: Usage) -> float:
    """As Kubernetes counts it: files that were not used lately can be given back at once."""
    if usage.memory is None or usage.memory_inactive_file is None:
        return math.nan
    return float(max(0, usage.memory - usage.memory_inactive_file))


def _known(value: int | None) -> float:
    return math.nan if value is None else float(value)

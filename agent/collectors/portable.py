"""What psutil can measure, for systems without Linux's /proc. Dearer than the collectors of their own."""

import math
from collections.abc import Mapping
from typing import Any

import psutil

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog

_MODES = {
    catalog.METRIC_CPU_UTILIZATION_USER: ("user", "nice"),
    catalog.METRIC_CPU_UTILIZATION_SYSTEM: ("system",),
    catalog.METRIC_CPU_UTILIZATION_IOWAIT: ("iowait",),
    catalog.METRIC_CPU_UTILIZATION_STEAL: ("steal",),
    catalog.METRIC_CPU_UTILIZATION_INTERRUPT: ("irq", "softirq", "interrupt"),
}
_COUNTED_TWICE = ("guest", "guest_nice")  # contained in user and nice
_LOOPBACK = ("lo", "lo0")
_NOT_WORKING = ("idle", "iowait")
Times = Mapping[str, float]


class PortableCollector:
    """Processors, load, memory, swap, file systems, network, uptime and the number of processes; no list of them."""

    name = "portable"

    def __init__(self) -> None:
        self._times: Times = {}
        self._core_times: list[Times] = []
        self._rates: dict[SeriesKey, Rate] = {}

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        labelled = {**self._cores(), **_filesystems(), **self._interfaces(moment)}
        core = {**self._cpu(), **_load(), **_memory(), **_totals(labelled), **_system(moment)}
        return Measured(core=core, series=tuple(labelled), values=list(labelled.values()))

    def close(self) -> None:
        """See `Collector`."""

    def _cpu(self) -> dict[int, float]:
        before, self._times = self._times, _counted(psutil.cpu_times())
        spent = _spent(before, self._times)
        total = sum(spent.values())
        found: dict[int, float] = {catalog.METRIC_CPU_LOGICAL_COUNT: psutil.cpu_count() or math.nan}
        if total:
            found[catalog.METRIC_CPU_UTILIZATION] = _working(spent)
            for metric, names in _MODES.items():
                known = [spent[name] for name in names if name in spent]
                found[metric] = sum(known) / total if known else math.nan
        return found

    def _cores(self) -> dict[SeriesKey, float]:
        before, self._core_times = self._core_times, [_counted(times) for times in psutil.cpu_times(percpu=True)]
        return {
            (catalog.METRIC_CPU_CORE_UTILIZATION, (str(number),)): _working(
                _spent(before[number] if number < len(before) else {}, times)
            )
            for number, times in enumerate(self._core_times)
        }

    def _interfaces(self, moment: Moment) -> dict[SeriesKey, float]:
        found: dict[SeriesKey, float] = {}
        for name, counted in psutil.net_io_counters(pernic=True).items():
            if name in _LOOPBACK or name.startswith("veth"):
                continue
            counters: dict[int, int] = {
                catalog.METRIC_INTERFACE_RECEIVE: counted.bytes_recv,
                catalog.METRIC_INTERFACE_TRANSMIT: counted.bytes_sent,
                catalog.METRIC_INTERFACE_PACKETS_RECEIVE: counted.packets_recv,
                catalog.METRIC_INTERFACE_PACKETS_TRANSMIT: counted.packets_sent,
                catalog.METRIC_INTERFACE_ERRORS_RECEIVE: counted.errin,
                catalog.METRIC_INTERFACE_ERRORS_TRANSMIT: counted.errout,
                catalog.METRIC_INTERFACE_DROPPED_RECEIVE: counted.dropin,
                catalog.METRIC_INTERFACE_DROPPED_TRANSMIT: counted.dropout,
            }
            for metric, value in counters.items():
                key = (metric, (name,))
                found[key] = self._rates.setdefault(key, Rate()).update(value, moment.monotonic_s)
        self._rates = {key: rate for key, rate in self._rates.items() if key in found}
        return found


def _counted(times: Any) -> Times:
    return {name: value for name, value in times._asdict().items() if name not in _COUNTED_TWICE}


def _spent(before: Times, after: Times) -> dict[str, float]:
    return {name: max(0.0, value - before[name]) for name, value in after.items() if name in before}


def _working(spent: Times) -> float:
    total = sum(spent.values())
    return 1 - sum(spent.get(name, 0.0) for name in _NOT_WORKING) / total if total else math.nan


def _load() -> dict[int, float]:
    names = (catalog.METRIC_LOAD_1M, catalog.METRIC_LOAD_5M, catalog.METRIC_LOAD_15M)
    return dict(zip(names, psutil.getloadavg(), strict=True))


def _memory() -> dict[int, float]:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        catalog.METRIC_MEMORY_LIMIT: memory.total,
        catalog.METRIC_MEMORY_AVAILABLE: memory.available,
        catalog.METRIC_MEMORY_UTILIZATION: 1 - memory.available / memory.total,
        catalog.METRIC_MEMORY_USED: memory.used,
        catalog.METRIC_MEMORY_FREE: memory.free,
        catalog.METRIC_MEMORY_CACHED: getattr(memory, "cached", math.nan),
        catalog.METRIC_MEMORY_BUFFERS: getattr(memory, "buffers", math.nan),
        catalog.METRIC_SWAP_LIMIT: swap.total,
        catalog.METRIC_SWAP_USED: swap.used,
        catalog.METRIC_SWAP_UTILIZATION: swap.used / swap.total if swap.total else 0.0,
    }


def _filesystems() -> dict[SeriesKey, float]:
    found: dict[SeriesKey, float] = {}
    seen = set()
    for mount in psutil.disk_partitions(all=False):
        if mount.device in seen or mount.device.startswith("/dev/loop"):
            continue
        seen.add(mount.device)
        try:
            usage = psutil.disk_usage(mount.mountpoint)
        except OSError:  # an empty drive, or not ours to ask
            continue
        labels = (mount.device, mount.mountpoint)
        found[catalog.METRIC_FILESYSTEM_USED, labels] = usage.used
        found[catalog.METRIC_FILESYSTEM_FREE, labels] = usage.free
        usable = usage.used + usage.free
        found[catalog.METRIC_FILESYSTEM_UTILIZATION, labels] = usage.used / usable if usable else math.nan
    return found


def _totals(labelled: Mapping[SeriesKey, float]) -> dict[int, float]:
    def total(metric: int) -> float:
        known = [value for (number, _), value in labelled.items() if number == metric and not math.isnan(value)]
        return sum(known) if known else math.nan

    return {
        catalog.METRIC_NETWORK_RECEIVE: total(catalog.METRIC_INTERFACE_RECEIVE),
        catalog.METRIC_NETWORK_TRANSMIT: total(catalog.METRIC_INTERFACE_TRANSMIT),
    }


def _system(moment: Moment) -> dict[int, float]:
    return {catalog.METRIC_PROCESS_COUNT: len(psutil.pids()), catalog.METRIC_UPTIME: moment.boottime_s}

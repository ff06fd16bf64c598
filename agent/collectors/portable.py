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
_SPACE = (
    catalog.METRIC_FILESYSTEM_USED,
    catalog.METRIC_FILESYSTEM_FREE,
    catalog.METRIC_FILESYSTEM_UTILIZATION,
)
_INTERFACE = {  # and the fields of psutil
    catalog.METRIC_INTERFACE_RECEIVE: "bytes_recv",
    catalog.METRIC_INTERFACE_TRANSMIT: "bytes_sent",
    catalog.METRIC_INTERFACE_PACKETS_RECEIVE: "packets_recv",
    catalog.METRIC_INTERFACE_PACKETS_TRANSMIT: "packets_sent",
    catalog.METRIC_INTERFACE_ERRORS_RECEIVE: "errin",
    catalog.METRIC_INTERFACE_ERRORS_TRANSMIT: "errout",
    catalog.METRIC_INTERFACE_DROPPED_RECEIVE: "dropin",
    catalog.METRIC_INTERFACE_DROPPED_TRANSMIT: "dropout",
}
_DISK = {
    catalog.METRIC_DEVICE_READ: "read_bytes",
    catalog.METRIC_DEVICE_WRITE: "write_bytes",
    catalog.METRIC_DEVICE_OPERATIONS_READ: "read_count",
    catalog.METRIC_DEVICE_OPERATIONS_WRITE: "write_count",
}
_KERNEL = {catalog.METRIC_CONTEXT_SWITCHES: "ctx_switches", catalog.METRIC_INTERRUPTS: "interrupts"}
_OWN = ("flick-agent",)
MEASURES: frozenset[int] = frozenset(
    {
        *_MODES,
        *_SPACE,
        *_INTERFACE,
        *_DISK,
        *_KERNEL,
        catalog.METRIC_AGENT_CPU,
        catalog.METRIC_AGENT_MEMORY,
        catalog.METRIC_CPU_CORE_UTILIZATION,
        catalog.METRIC_CPU_FREQUENCY,
        catalog.METRIC_CPU_LOGICAL_COUNT,
        catalog.METRIC_CPU_UTILIZATION,
        catalog.METRIC_DISK_READ,
        catalog.METRIC_DISK_WRITE,
        catalog.METRIC_LOAD_1M,
        catalog.METRIC_LOAD_5M,
        catalog.METRIC_LOAD_15M,
        catalog.METRIC_MEMORY_AVAILABLE,
        catalog.METRIC_MEMORY_BUFFERS,
        catalog.METRIC_MEMORY_CACHED,
        catalog.METRIC_MEMORY_FREE,
        catalog.METRIC_MEMORY_LIMIT,
        catalog.METRIC_MEMORY_USED,
        catalog.METRIC_MEMORY_UTILIZATION,
        catalog.METRIC_NETWORK_RECEIVE,
        catalog.METRIC_NETWORK_TRANSMIT,
        catalog.METRIC_PROCESS_COUNT,
        catalog.METRIC_SESSION_COUNT,
        catalog.METRIC_SWAP_LIMIT,
        catalog.METRIC_SWAP_USED,
        catalog.METRIC_SWAP_UTILIZATION,
        catalog.METRIC_UPTIME,
    }
)
"""What psutil is asked for. docs/metrics.md tells it of every metric."""
NOT_TOLD: Mapping[str, frozenset[int]] = {
    "darwin": frozenset(
        {
            catalog.METRIC_CPU_UTILIZATION_IOWAIT,
            catalog.METRIC_CPU_UTILIZATION_STEAL,
            catalog.METRIC_CPU_UTILIZATION_INTERRUPT,
            catalog.METRIC_MEMORY_BUFFERS,
            catalog.METRIC_MEMORY_CACHED,
        }
    ),
    "win32": frozenset(
        {
            catalog.METRIC_CPU_UTILIZATION_IOWAIT,
            catalog.METRIC_CPU_UTILIZATION_STEAL,
            catalog.METRIC_MEMORY_BUFFERS,
            catalog.METRIC_MEMORY_CACHED,
        }
    ),
}
"""What of it psutil does not tell, by `sys.platform` and as its documentation has it."""
_COUNTED_TWICE = ("guest", "guest_nice")  # contained in user and nice
_LOOPBACK = ("lo", "lo0")
_NOT_WORKING = ("idle", "iowait")
_US_PER_S = 1_000_000
_HZ_PER_MHZ = 1_000_000
Times = Mapping[str, float]


class PortableCollector:
    """Processors, load, memory, swap, file systems, disks, network, people, uptime and the number of processes.

    What a system's psutil does not know is a hole.
    """

    name = "portable"

    def __init__(self) -> None:
        self._times: Times = {}
        self._core_times: list[Times] = []
        self._rates: dict[SeriesKey, Rate] = {}
        self._me = psutil.Process()
        self._own_rate = Rate(wraps=False)

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        labelled = {**self._cores(), **_filesystems(), **self._counted_by_name(moment), **self._own(moment)}
        core = {
            **self._cpu(),
            **_load(),
            **_memory(),
            **_totals(labelled),
            **self._rates_of_all(moment),
            **_system(moment),
        }
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

    def _counted_by_name(self, moment: Moment) -> dict[SeriesKey, float]:
        """Interfaces and disks."""
        found: dict[SeriesKey, float] = {}
        for fields, all_counted in (
            (_INTERFACE, psutil.net_io_counters(pernic=True)),
            (_DISK, psutil.disk_io_counters(perdisk=True) or {}),
        ):
            for name, counted in all_counted.items():
                if name in _LOOPBACK or name.startswith("veth"):
                    continue
                for metric, field in fields.items():
                    key: SeriesKey = (metric, (name,))
                    found[key] = self._rate(key, getattr(counted, field), moment)
        for key in self._rates.keys() - found.keys():
            if key[1]:
                del self._rates[key]
        return found

    def _rates_of_all(self, moment: Moment) -> dict[int, float]:
        """Counters of the whole machine."""
        disks, kernel = psutil.disk_io_counters(), psutil.cpu_stats()
        counted = {metric: getattr(kernel, field) for metric, field in _KERNEL.items()}
        if disks is not None:
            counted |= {catalog.METRIC_DISK_READ: disks.read_bytes, catalog.METRIC_DISK_WRITE: disks.write_bytes}
        return {metric: self._rate((metric, ()), value, moment) for metric, value in counted.items()}

    def _own(self, moment: Moment) -> dict[SeriesKey, float]:
        """What the agent itself takes."""
        spent = self._me.cpu_times()
        cpu, memory = (catalog.METRIC_AGENT_CPU, _OWN), (catalog.METRIC_AGENT_MEMORY, _OWN)
        spent_us = round((spent.user + spent.system) * _US_PER_S)
        used = self._own_rate.update(spent_us, moment.monotonic_s) / _US_PER_S
        return {cpu: used, memory: float(self._me.memory_info().rss)}

    def _rate(self, key: SeriesKey, value: int, moment: Moment) -> float:
        return self._rates.setdefault(key, Rate()).update(value, moment.monotonic_s)


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
        usable = usage.used + usage.free
        values = (usage.used, usage.free, usage.used / usable if usable else math.nan)
        labels = (mount.device, mount.mountpoint)
        found |= {(metric, labels): value for metric, value in zip(_SPACE, values, strict=True)}
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
    return {
        catalog.METRIC_PROCESS_COUNT: len(psutil.pids()),
        catalog.METRIC_SESSION_COUNT: len(psutil.users()),
        catalog.METRIC_CPU_FREQUENCY: _frequency(),
        catalog.METRIC_UPTIME: moment.boottime_s,
    }


def _frequency() -> float:
    try:
        found = psutil.cpu_freq()
    except (AttributeError, OSError, NotImplementedError, RuntimeError):  # some systems and machines have none
        return math.nan
    return found.current * _HZ_PER_MHZ if found is not None and found.current else math.nan

"""Processor time: of all processors by mode, and of each one."""

import math
from collections.abc import Sequence

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.cpu.kernel_stat import KernelStatFile
from flick.v1 import catalog_pb2 as catalog

_USER, _NICE, _SYSTEM, _IDLE, _IOWAIT, _IRQ, _SOFTIRQ, _STEAL = range(8)
_MODES = {
    catalog.METRIC_CPU_UTILIZATION_USER: (_USER, _NICE),
    catalog.METRIC_CPU_UTILIZATION_SYSTEM: (_SYSTEM,),
    catalog.METRIC_CPU_UTILIZATION_IOWAIT: (_IOWAIT,),
    catalog.METRIC_CPU_UTILIZATION_STEAL: (_STEAL,),
    catalog.METRIC_CPU_UTILIZATION_INTERRUPT: (_IRQ, _SOFTIRQ),
}
Ticks = Sequence[int]


class CpuCollector:
    """Shares of the time since the moment before."""

    name = "cpu"

    def __init__(self, *, stat: KernelStatFile) -> None:
        self._stat = stat
        self._all: Ticks = ()
        self._cores: dict[str, tuple[int, ...]] = {}
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        reading = self._stat.at(moment)
        core: dict[int, float] = dict(_by_mode(self._all, reading.all_cores)) if self._all else {}
        core[catalog.METRIC_CPU_LOGICAL_COUNT] = len(reading.cores)
        if reading.cores.keys() != self._cores.keys():
            self._series = tuple((catalog.METRIC_CPU_CORE_UTILIZATION, (label,)) for label in reading.cores)
        values = [_working(self._cores.get(label, ()), ticks) for label, ticks in reading.cores.items()]
        self._all, self._cores = reading.all_cores, reading.cores
        return Measured(core=core, series=self._series, values=values)

    def close(self) -> None:
        """See `Collector`."""
        self._stat.close()


def _by_mode(before: Ticks, after: Ticks) -> dict[int, float]:
    spent = _spent(before, after)
    total = sum(spent)
    if not total:
        return {}
    shares: dict[int, float] = {mode: sum(spent[place] for place in places) / total for mode, places in _MODES.items()}
    shares[catalog.METRIC_CPU_UTILIZATION] = 1 - (spent[_IDLE] + spent[_IOWAIT]) / total
    return shares


def _working(before: Ticks, after: Ticks) -> float:
    spent = _spent(before, after)
    total = sum(spent)
    return 1 - (spent[_IDLE] + spent[_IOWAIT]) / total if total else math.nan


def _spent(before: Ticks, after: Ticks) -> list[int]:
    # The kernel's idle and iowait may go back a little (proc(5)); such a step counts as nothing.
    return [max(0, now - then) for then, now in zip(before, after, strict=False)]

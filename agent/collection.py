"""Runs the collectors. One that fails is named once, with its reason, and leaves a hole; the others go on."""

import logging
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from agent.budget.budget import Budget
from agent.calm import Calm
from agent.catalog import CORE_LENGTH
from agent.collectors.aside import AsideCollector
from agent.collectors.collector import Collector, CustomMetric, Measured, Moment, SeriesKey
from agent.collectors.containers.choice import ContainerChoice
from agent.collectors.containers.containers import ContainersCollector
from agent.collectors.cpu.activity import ActivityCollector
from agent.collectors.cpu.frequency import FrequencyCollector
from agent.collectors.cpu.kernel_stat import KernelStatFile
from agent.collectors.cpu.load import LoadCollector
from agent.collectors.cpu.utilization import CpuCollector
from agent.collectors.custom.collector import CustomCollector
from agent.collectors.custom.folder import CustomFolder
from agent.collectors.failure import Failure
from agent.collectors.hardware.battery import BatteryCollector
from agent.collectors.hardware.fan import FanCollector
from agent.collectors.hardware.gpu import GpuCollector, Gpus, gpu_listing
from agent.collectors.hardware.hwmon import SYS_CLASS
from agent.collectors.hardware.temperature import TemperatureCollector
from agent.collectors.memory.memory import MemoryCollector
from agent.collectors.memory.paging import PagingCollector
from agent.collectors.network.connections import ConnectionsCollector
from agent.collectors.network.interfaces import NetworkCollector
from agent.collectors.network.snmp import SnmpFile
from agent.collectors.network.socket_diag import SocketDiag
from agent.collectors.network.sockets import SocketsCollector, SockstatFile
from agent.collectors.network.tcp import TcpCollector
from agent.collectors.network.udp import UdpCollector
from agent.collectors.processes.busiest import ProcessesCollector
from agent.collectors.processes.pid_list import PidList
from agent.collectors.services.choice import ServiceChoice
from agent.collectors.services.units import ServicesCollector
from agent.collectors.storage.disks import DiskCollector
from agent.collectors.storage.filesystem import FilesystemCollector
from agent.collectors.system.open_files import OpenFilesCollector
from agent.collectors.system.own import OwnCollector
from agent.collectors.system.pressure import PressureCollector
from agent.collectors.system.sessions import SessionsCollector
from agent.collectors.system.system import SystemCollector
from agent.worker import Worker

MAX_SERIES = 2000  # ingest leaves out what is more, and labels beyond 64 KiB together
MAX_LABEL_BYTES = 64 * 1024
_SERIES_BYTES = 400  # about: its key, its labels, its rate, its place in a dictionary
_MEMORY_BUDGET = "memory budget"  # as which it is told that it can't be held

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readings:
    """Everything measured at one moment, as `flick.v1.Sample` has it: `values` are those of `series`, in its order."""

    core: Sequence[float]
    series: tuple[SeriesKey, ...]
    values: Sequence[float]
    processes: bytes


class Collection:
    """A set of collectors that are asked together. Rates are those since this set was asked before.

    Args:
        collectors: which ones.
        budget: counts what they take, for all sets together, and says which are not to be asked.
        anew: makes the collectors anew, for one that was let go of to save memory and comes back.
    """

    def __init__(
        self,
        *,
        collectors: Sequence[Collector],
        budget: Budget | None = None,
        anew: Callable[[], Sequence[Collector]] = tuple,
    ) -> None:
        self._collectors = list(collectors)
        self._order = [collector.name for collector in collectors]
        self._budget = budget or Budget()
        self._anew = anew
        self._gone: frozenset[str] = frozenset()  # to save memory
        self._weights: dict[str, int] = {}
        self._failing: dict[str, Failure] = {}
        self._last_series: dict[str, tuple[SeriesKey, ...]] = {}
        self._parts: tuple[tuple[SeriesKey, ...], ...] = ()
        self._series: tuple[SeriesKey, ...] = ()

    def __enter__(self) -> "Collection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Have every collector let go of its files; the next question opens them again."""
        for collector in self._collectors:
            collector.close()

    @property
    def failing(self) -> Sequence[Failure]:
        """The collectors that could not measure when they were asked last."""
        return list(self._failing.values())

    def collect(self, moment: Moment) -> Readings:
        """Ask every collector. Never raises for a collector that can't measure."""
        core = [math.nan] * CORE_LENGTH
        values: list[float] = []
        processes = b""
        parts = []
        self._let_go_and_get_back(moment)
        spent_s = time.process_time()
        for collector in self._collectors:
            found = self._ask(collector, moment)
            before_s, spent_s = spent_s, time.process_time()
            self._budget.cpu.spend(collector.name, spent_s - before_s)
            self._weights[collector.name] = len(found.series) * _SERIES_BYTES + len(found.processes)
            for number, value in found.core.items():
                core[number - 1] = value
            parts.append(found.series)
            values += found.values
            processes = found.processes or processes
        self._budget.look(moment.monotonic_s, weights=self._weights)
        series = self._joined(tuple(parts))
        return Readings(core=core, series=series, values=values[: len(series)], processes=processes)

    def _joined(self, parts: tuple[tuple[SeriesKey, ...], ...]) -> tuple[SeriesKey, ...]:
        if parts != self._parts:
            self._parts = parts
            self._series = _bounded(tuple(key for part in parts for key in part))
        return self._series

    def _let_go_and_get_back(self, moment: Moment) -> None:
        """Follow the budget of memory: a collector that goes takes everything with it that it holds."""
        memory = self._budget.memory
        for name, reason in memory.shed.items():
            self._note_failure(Failure(name, reason, moment.boottime_s))
        if memory.remark:
            self._note_failure(Failure(_MEMORY_BUDGET, memory.remark, moment.boottime_s))
        else:
            self._failing.pop(_MEMORY_BUDGET, None)
        before, self._gone = self._gone, frozenset(memory.shed)
        for name in self._gone - before:
            self._let_go(name)
        back = before - self._gone
        if back:
            found = [collector for collector in self._anew() if collector.name in back]
            self._collectors = sorted([*self._collectors, *found], key=lambda one: self._order.index(one.name))

    def _let_go(self, name: str) -> None:
        for collector in self._collectors:
            if collector.name == name:
                collector.close()
        self._collectors = [collector for collector in self._collectors if collector.name != name]
        self._last_series.pop(name, None)
        self._weights.pop(name, None)

    def _ask(self, collector: Collector, moment: Moment) -> Measured:
        name = collector.name
        if name in self._budget.cpu.shed:
            return self._hole(Failure(name, self._budget.cpu.shed[name], moment.boottime_s))
        try:
            found = collector.collect(moment)
        # A collector reads what kernels and drivers of every age write: whatever it stumbles over is its own hole.
        except Exception as error:  # noqa: BLE001
            return self._hole(Failure.by(error, collector=name, since_s=moment.boottime_s))
        if self._failing.pop(name, None) is not None:
            logger.info("collector measures again", extra={"collector": name})
        self._last_series[name] = found.series
        self._note_parts(name, found.failing, moment)
        return found

    def _note_parts(self, collector: str, failing: Mapping[str, str], moment: Moment) -> None:
        """Parts of a collector that fail are told like collectors of their own."""
        now = {f"{collector}/{part}": reason for part, reason in failing.items()}
        for name in [name for name in self._failing if name.startswith(f"{collector}/") and name not in now]:
            del self._failing[name]
            logger.info("collector measures again", extra={"collector": name})
        for name, reason in now.items():
            self._note_failure(Failure.told(reason, collector=name, since_s=moment.boottime_s))

    def _hole(self, failure: Failure) -> Measured:
        """The series that it had, without values."""
        self._note_failure(failure)
        series = self._last_series.get(failure.collector, ())
        return Measured(series=series, values=[math.nan] * len(series))

    def _note_failure(self, failure: Failure) -> None:
        """Remember it, and since when, which another reason does not change."""
        before = self._failing.get(failure.collector)
        since_s = failure.since_s if before is None else before.since_s
        self._failing[failure.collector] = Failure(failure.collector, failure.reason, since_s)
        if before is None or before.reason != failure.reason:
            told = {"collector": failure.collector, "reason": failure.reason}
            logger.warning("collector can't measure", extra=told)


def _bounded(series: tuple[SeriesKey, ...]) -> tuple[SeriesKey, ...]:
    """As many of the first as ingest takes."""
    size = 0
    described: set[CustomMetric] = set()
    for place, (metric, labels) in enumerate(series):
        size += sum(len(label.encode()) for label in labels)
        if isinstance(metric, CustomMetric) and metric not in described:
            described.add(metric)
            size += metric.text_bytes
        if place == MAX_SERIES or size > MAX_LABEL_BYTES:
            logger.warning("too many series; the last are left out", extra={"series": len(series), "kept": place})
            return series[:place]
    return series


@dataclass(frozen=True, slots=True)
class Workers:
    """What all sets of collectors of a process share: threads for what may hang, and choices that are made calmly."""

    filesystem: Worker = field(default_factory=Worker)
    processes: Worker = field(default_factory=Worker)
    sensors: Worker = field(default_factory=Worker)
    gpus: Calm[Gpus] = field(default_factory=gpu_listing)
    services: ServiceChoice = field(default_factory=ServiceChoice)
    budget: Budget = field(default_factory=Budget)
    containers: ContainerChoice = field(default_factory=ContainerChoice)
    custom: CustomFolder | None = None


def every_collector(*, processes: bool, commands: bool, workers: Workers) -> list[Collector]:
    """What this system offers. `processes`: whether to list processes; `commands`: with their command lines."""
    if sys.platform != "linux":
        from agent.collectors.portable import PortableCollector  # psutil is only needed there

        return [AsideCollector(collector=PortableCollector(), worker=workers.filesystem)]
    stat, pids = KernelStatFile(), PidList()
    collectors: list[Collector] = [
        CpuCollector(stat=stat),
        FrequencyCollector(),
        ActivityCollector(stat=stat),
        LoadCollector(),
        PressureCollector(),
        MemoryCollector(),
        PagingCollector(),
        AsideCollector(collector=FilesystemCollector(), worker=workers.filesystem),
        DiskCollector(),
        *_network(),
        SystemCollector(stat=stat, pids=pids),
        OpenFilesCollector(),
        SessionsCollector(),
        *_hardware(workers.sensors),
        GpuCollector(listing=workers.gpus),
        OwnCollector(),
        ServicesCollector(choice=workers.services),
        ContainersCollector(choice=workers.containers),
    ]
    if workers.custom is not None:
        collectors.append(CustomCollector(folder=workers.custom))
    if processes:
        collectors.append(ProcessesCollector(with_commands=commands, pids=pids, worker=workers.processes))
    return collectors


def _network() -> list[Collector]:
    snmp, sockstat = SnmpFile(), SockstatFile()
    return [
        NetworkCollector(),
        TcpCollector(snmp=snmp),
        ConnectionsCollector(snmp=snmp, sockstat=sockstat, diag=SocketDiag()),
        UdpCollector(snmp=snmp),
        SocketsCollector(sockstat=sockstat),
    ]


def _hardware(worker: Worker) -> list[Collector]:
    """Sensors: some are asked over slow buses, and drivers have bugs. Many machines have none."""
    chips, zones, supplies = (SYS_CLASS / name for name in ("hwmon", "thermal", "power_supply"))
    return [
        AsideCollector(collector=TemperatureCollector(), worker=worker, only_with=(chips, zones)),
        AsideCollector(collector=FanCollector(), worker=worker, only_with=(chips,)),
        AsideCollector(collector=BatteryCollector(), worker=worker, only_with=(supplies,)),
    ]

"""The busiest processes: the first ten by processor time joined with the first ten by memory."""

import heapq
from operator import attrgetter, itemgetter
from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.proc_file import PROC, TICKS_PER_S
from agent.collectors.processes.description import Description, ProcessDescriptions
from agent.collectors.processes.pid_list import PidList
from agent.collectors.processes.table import ProcessStat, ProcessTable
from agent.collectors.processes.transfers import ProcessTransfers, Transferred
from agent.worker import Worker
from flick.v1 import telemetry_pb2

MOST_BY_EACH = 10
_STATES = {
    b"R": "running",
    b"D": "disk-sleep",
    b"T": "stopped",
    b"t": "stopped",
    b"Z": "zombie",
    b"I": "idle",
}


class ProcessesCollector:
    """Looks at every process, and more closely at those few that are listed.

    Args:
        with_commands: whether to tell command lines.
        pids: which processes there are.
        worker: for what may hang.
    """

    name = "processes"

    def __init__(self, *, with_commands: bool, pids: PidList, worker: Worker, root: Path = PROC) -> None:
        self._pids = pids
        self._table = ProcessTable(root=root)
        self._descriptions = ProcessDescriptions(with_commands=with_commands, worker=worker, root=root)
        self._transfers = ProcessTransfers(worker=worker, root=root)
        self._before: Moment | None = None
        self._known: dict[int, ProcessStat] = {}

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        found = self._table.read(self._pids.at(moment))
        known, self._known = self._known, {stat.pid: stat for stat in found}
        before, self._before = self._before, moment
        if before is None or moment.monotonic_s <= before.monotonic_s:
            self._transfers.of(_busiest(found, {}), moment.monotonic_s)  # most of them are listed next time, too
            return Measured()
        grown = _grown(found, known, before)
        listed = _busiest(found, grown)
        described = self._descriptions.of(listed, moment.monotonic_s)
        transfers = self._transfers.of(listed, moment.monotonic_s)
        ticks_per_s = (moment.monotonic_s - before.monotonic_s) * TICKS_PER_S
        processes = [
            _process(stat, description, grown.get(stat.pid, 0) / ticks_per_s, transferred)
            for stat, description, transferred in zip(listed, described, transfers, strict=True)
        ]
        return Measured(processes=telemetry_pb2.ProcessSnapshot(processes=processes).SerializeToString())

    def close(self) -> None:
        """See `Collector`."""
        self._table.close()
        self._transfers.close()


def _grown(found: list[ProcessStat], known: dict[int, ProcessStat], before: Moment) -> dict[int, int]:
    """The ticks of processor time that each process used since the moment before, by pid; only those that used some."""
    grown = {}
    for stat in found:
        earlier = known.get(stat.pid)
        if earlier is stat:
            continue
        if earlier is not None and earlier.start_ticks == stat.start_ticks:
            ticks = stat.ticks - earlier.ticks
        else:
            # One that started since then used all its time since then; of one that was only hidden nothing is known.
            ticks = stat.ticks if stat.start_ticks >= before.boottime_s * TICKS_PER_S - 1 else 0
        if ticks > 0:
            grown[stat.pid] = ticks
    return grown


def _busiest(found: list[ProcessStat], grown: dict[int, int]) -> list[ProcessStat]:
    """Those that are listed, the busiest first."""
    by_pid = {stat.pid: stat for stat in found}
    by_cpu = [by_pid[pid] for pid, _ in heapq.nlargest(MOST_BY_EACH, grown.items(), key=itemgetter(1))]
    by_memory = heapq.nlargest(MOST_BY_EACH, found, key=attrgetter("rss_bytes"))
    listed = {stat.pid: stat for stat in (*by_cpu, *by_memory)}
    return sorted(listed.values(), key=lambda stat: -grown.get(stat.pid, 0))


def _process(
    stat: ProcessStat, described: Description, cpu_utilization: float, transferred: Transferred | None
) -> telemetry_pb2.Process:
    return telemetry_pb2.Process(
        pid=stat.pid,
        name=described.name,
        command=described.command,
        user=described.user,
        state=_STATES.get(stat.state, "sleeping"),
        cpu_utilization=cpu_utilization,
        memory_rss=stat.rss_bytes,
        thread_count=stat.threads,
        disk_read=None if transferred is None else round(transferred.read),
        disk_write=None if transferred is None else round(transferred.written),
    )

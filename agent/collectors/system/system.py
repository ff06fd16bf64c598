"""Time since the start, and how many processes there are and come."""

import math

from agent.collectors.collector import Measured, Moment
from agent.collectors.cpu.kernel_stat import KernelStatFile
from agent.collectors.processes.pid_list import PidList
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog


class SystemCollector:
    """Counts /proc's folders; uptime is the boot clock's reading."""

    name = "system"

    def __init__(self, *, stat: KernelStatFile, pids: PidList) -> None:
        self._stat = stat
        self._pids = pids
        self._created = Rate()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        counted = self._stat.at(moment).processes_created
        created = math.nan if counted is None else self._created.update(counted, moment.monotonic_s)
        return Measured(
            core={
                catalog.METRIC_PROCESS_COUNT: len(self._pids.at(moment)),
                catalog.METRIC_PROCESS_CREATED: created,
                catalog.METRIC_UPTIME: moment.boottime_s,
            }
        )

    def close(self) -> None:
        """See `Collector`."""
        self._stat.close()

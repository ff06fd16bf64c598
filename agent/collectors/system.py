"""Time since the start, and how many processes there are and come."""

import os
from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.kernel_stat import KernelStatFile
from agent.collectors.proc_file import PROC
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog


class SystemCollector:
    """Counts /proc's folders; uptime is the boot clock's reading."""

    name = "system"

    def __init__(self, *, stat: KernelStatFile, root: Path = PROC) -> None:
        self._stat = stat
        self._root = root
        self._created = Rate()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        created = self._created.update(self._stat.at(moment).processes_created, moment.monotonic_s)
        return Measured(
            core={
                catalog.METRIC_PROCESS_COUNT: self._count(),
                catalog.METRIC_PROCESS_CREATED: created,
                catalog.METRIC_UPTIME: moment.boottime_s,
            }
        )

    def _count(self) -> int:
        return sum(map(str.isdigit, os.listdir(self._root)))  # noqa: PTH208 - a Path for each of them is dear

    def close(self) -> None:
        """See `Collector`."""
        self._stat.close()

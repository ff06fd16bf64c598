"""What the agent itself uses, so that everybody sees what it costs."""

import os
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.proc_file import PAGE_BYTES, PROC, ProcFile
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog

_SERVICE = ("flick-agent",)
_SERIES: tuple[SeriesKey, ...] = (
    (catalog.METRIC_AGENT_CPU, _SERVICE),
    (catalog.METRIC_AGENT_MEMORY, _SERVICE),
)
_US_PER_S = 1_000_000


class OwnCollector:
    """Processor time of all threads and of programs that have ended, and resident memory by /proc/self/statm."""

    name = "agent"

    def __init__(self, *, root: Path = PROC) -> None:
        self._memory = ProcFile(root / "self/statm")
        self._cpu = Rate(wraps=False)

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        spent = os.times()
        spent_us = round((spent.user + spent.system + spent.children_user + spent.children_system) * _US_PER_S)
        resident_pages = int(self._memory.read().split(None, 2)[1])
        used = self._cpu.update(spent_us, moment.monotonic_s) / _US_PER_S
        return Measured(series=_SERIES, values=[used, float(resident_pages * PAGE_BYTES)])

    def close(self) -> None:
        """See `Collector`."""
        self._memory.close()

"""Load averages."""

from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.proc_file import PROC, ProcFile
from flick.v1 import catalog_pb2 as catalog


class LoadCollector:
    """Reads /proc/loadavg."""

    name = "load"

    def __init__(self, *, root: Path = PROC) -> None:
        self._file = ProcFile(root / "loadavg")

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        one, five, fifteen = self._file.read().split(None, 3)[:3]
        return Measured(
            core={
                catalog.METRIC_LOAD_1M: float(one),
                catalog.METRIC_LOAD_5M: float(five),
                catalog.METRIC_LOAD_15M: float(fifteen),
            }
        )

    def close(self) -> None:
        """See `Collector`."""
        self._file.close()

"""How many files the whole system has open, and may have."""

from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.proc_file import PROC, ProcFile
from flick.v1 import catalog_pb2 as catalog


class OpenFilesCollector:
    """Reads /proc/sys/fs/file-nr."""

    name = "open files"

    def __init__(self, *, root: Path = PROC) -> None:
        self._file = ProcFile(root / "sys/fs/file-nr")

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        allocated, unused, limit = self._file.read().split()
        return Measured(
            core={
                catalog.METRIC_FILES_OPEN: max(0, int(allocated) - int(unused)),
                catalog.METRIC_FILES_LIMIT: int(limit),
            }
        )

    def close(self) -> None:
        """See `Collector`."""
        self._file.close()

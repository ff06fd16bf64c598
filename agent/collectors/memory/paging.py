"""What passes between memory and swap, what had to be waited for, and who was killed for want of memory."""

import math
from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.proc_file import PROC, ProcFile, number_of
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog

_METRICS = (
    (b"pswpin", catalog.METRIC_SWAP_IN),
    (b"pswpout", catalog.METRIC_SWAP_OUT),
    (b"pgmajfault", catalog.METRIC_PAGE_FAULTS_MAJOR),
    (b"oom_kill", catalog.METRIC_OOM_KILLS),  # kernel 4.13 and later
)


class PagingCollector:
    """Reads /proc/vmstat. A kernel built without swap has no lines of it."""

    name = "paging"

    def __init__(self, *, root: Path = PROC) -> None:
        self._file = ProcFile(root / "vmstat")
        self._rates: dict[int, Rate] = {metric: Rate() for _, metric in _METRICS}

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        text = self._file.read()
        return Measured(core={metric: self._rate(number_of(text, name), metric, moment) for name, metric in _METRICS})

    def close(self) -> None:
        """See `Collector`."""
        self._file.close()

    def _rate(self, counted: int | None, metric: int, moment: Moment) -> float:
        return math.nan if counted is None else self._rates[metric].update(counted, moment.monotonic_s)

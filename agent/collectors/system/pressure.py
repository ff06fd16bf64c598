"""Pressure: how much of the time tasks waited for a processor, for memory, for I/O (kernel 4.20 and later)."""

import errno
from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.proc_file import PROC, ProcFile
from agent.collectors.rate import Rate, short
from flick.v1 import catalog_pb2 as catalog

_US_PER_S = 1_000_000
# The whole machine has no `full` of processors: the kernel writes zeros there.
_METRICS = {
    "cpu": {b"some": catalog.METRIC_PRESSURE_CPU_SOME},
    "memory": {b"some": catalog.METRIC_PRESSURE_MEMORY_SOME, b"full": catalog.METRIC_PRESSURE_MEMORY_FULL},
    "io": {b"some": catalog.METRIC_PRESSURE_IO_SOME, b"full": catalog.METRIC_PRESSURE_IO_FULL},
}
_SWITCHED_OFF = (errno.ENOENT, errno.EOPNOTSUPP)


class PressureCollector:
    """Shares of the time since the moment before, from the microseconds that /proc/pressure counts.

    Not the averages that stand beside them: those look back over 10 s whatever the interval is, so that they miss what
    lies between two samples or tell it twice, and an average of them is not the share of a longer span.
    """

    name = "pressure"

    def __init__(self, *, root: Path = PROC) -> None:
        self._files = {resource: ProcFile(root / "pressure" / resource) for resource in _METRICS}
        self._rates = {metric: Rate() for metrics in _METRICS.values() for metric in metrics.values()}

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`. Nothing where the kernel was built or started without."""
        core: dict[int, float] = {}
        for resource, file in self._files.items():
            try:
                text = file.read()
            except OSError as error:
                if error.errno in _SWITCHED_OFF:
                    continue
                raise
            totals_us = parse(text)
            for kind, metric in _METRICS[resource].items():
                if kind in totals_us:
                    share = self._rates[metric].update(totals_us[kind], moment.monotonic_s) / _US_PER_S
                    core[metric] = 1.0 if share > 1 else short(share)  # both clocks are read a moment apart
        return Measured(core=core)

    def close(self) -> None:
        """See `Collector`."""
        for file in self._files.values():
            file.close()


def parse(text: bytes) -> dict[bytes, int]:
    """Microseconds since the start by kind, `some` and `full`."""
    found = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(b" ")
        total = rest.rpartition(b" total=")[2]
        if total.isdigit():
            found[kind] = int(total)
    return found

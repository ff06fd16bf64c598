"""Memory and swap."""

from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.proc_file import PROC, ProcFile
from flick.v1 import catalog_pb2 as catalog

_KIB = 1024
_EVERYWHERE = frozenset((b"MemTotal", b"MemFree", b"Buffers", b"Cached"))
_NEEDED = _EVERYWHERE | {b"MemAvailable", b"SReclaimable", b"SwapTotal", b"SwapFree"}


class MemoryCollector:
    """Reads /proc/meminfo."""

    name = "memory"

    def __init__(self, *, root: Path = PROC) -> None:
        self._file = ProcFile(root / "meminfo")

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        return Measured(core=from_meminfo(_parse(self._file.read())))

    def close(self) -> None:
        """See `Collector`."""
        self._file.close()


def from_meminfo(found: dict[bytes, int]) -> dict[int, float]:
    """The metrics from /proc/meminfo's lines, in bytes. Raises ValueError when one that every kernel has is missing."""
    missing = _EVERYWHERE - found.keys()
    if missing:
        raise ValueError(f"/proc/meminfo has no {min(missing).decode()}")
    total, free, buffers = found[b"MemTotal"], found[b"MemFree"], found[b"Buffers"]
    cached = found[b"Cached"] + found.get(b"SReclaimable", 0)
    # Kernels before 3.14 make no estimate of their own.
    available = min(found.get(b"MemAvailable", free + buffers + cached), total)
    swap = found.get(b"SwapTotal", 0)
    swap_used = swap - found.get(b"SwapFree", 0)
    return {
        catalog.METRIC_MEMORY_LIMIT: total,
        catalog.METRIC_MEMORY_AVAILABLE: available,
        catalog.METRIC_MEMORY_UTILIZATION: 1 - available / total,
        catalog.METRIC_MEMORY_USED: max(0, total - free - cached - buffers),
        catalog.METRIC_MEMORY_FREE: free,
        catalog.METRIC_MEMORY_CACHED: cached,
        catalog.METRIC_MEMORY_BUFFERS: buffers,
        catalog.METRIC_SWAP_LIMIT: swap,
        catalog.METRIC_SWAP_USED: swap_used,
        catalog.METRIC_SWAP_UTILIZATION: swap_used / swap if swap else 0.0,
    }


def _parse(text: bytes) -> dict[bytes, int]:
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(b":")
        if name in _NEEDED:
            found[name] = int(rest.split(None, 1)[0]) * _KIB
    return found

"""The memory of this very process."""

import gc
import sys
from pathlib import Path

from agent.collectors.proc_file import PAGE_BYTES

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """How much is resident. Raises OSError where the system does not tell."""
    if sys.platform != "linux":
        import psutil  # only needed there

        return int(psutil.Process().memory_info().rss)
    return int(_STATM.read_bytes().split(None, 2)[1]) * PAGE_BYTES


def give_back() -> None:
    """Collect garbage, and give what is free back to the system, where the C library can do that."""
    gc.collect()
    if sys.platform != "linux":
        return
    import ctypes  # 0.2 MB, for who holds too much

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; musl has none, and gives back by itself
    if trim is not None:
        trim(0)

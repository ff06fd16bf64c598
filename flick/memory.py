"""The memory of this process, of which the C library keeps what was freed for what comes next."""

import os
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """How much is resident. Raises OSError elsewhere than on Linux."""
    return int(_STATM.read_bytes().split(None, 2)[1]) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Give what was freed back to the system, where the C library can do that.

    Some 50 ms where 200 MiB lie in pieces, in which other threads may have to wait for memory.
    """
    if sys.platform != "linux":
        return
    import ctypes  # 0.2 MB, which an agent that holds little does without

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; musl has none, and gives back by itself
    if trim is not None:
        trim(0)

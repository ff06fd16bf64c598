"""The memory of this very process."""

import gc
import sys

from flick import memory


def resident_bytes() -> int:
    """How much is resident. Raises OSError where the system does not tell."""
    if sys.platform != "linux":
        import psutil  # only needed there

        return int(psutil.Process().memory_info().rss)
    return memory.resident_bytes()


def give_back() -> None:
    """Collect garbage, and give what is free back to the system."""
    gc.collect()
    memory.give_back()

"""Memory is read out of a /proc/meminfo that this machine may not have."""

import pytest

from agent.collectors.memory import memory
from flick.v1 import catalog_pb2 as catalog


def test_memory_of_a_kernel_without_an_estimate_of_what_is_available() -> None:
    found = memory.from_meminfo({b"MemTotal": 1000, b"MemFree": 200, b"Buffers": 50, b"Cached": 150})

    assert found[catalog.METRIC_MEMORY_AVAILABLE] == 400
    assert found[catalog.METRIC_MEMORY_USED] == 600
    assert found[catalog.METRIC_MEMORY_UTILIZATION] == pytest.approx(0.6)
    assert found[catalog.METRIC_SWAP_UTILIZATION] == 0.0


def test_reclaimable_kernel_memory_counts_as_cache() -> None:
    found = memory.from_meminfo(
        {b"MemTotal": 1000, b"MemFree": 200, b"Buffers": 50, b"Cached": 150, b"SReclaimable": 100}
    )

    assert found[catalog.METRIC_MEMORY_CACHED] == 250
    assert found[catalog.METRIC_MEMORY_USED] == 500


def test_memory_without_a_line_that_every_kernel_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="Buffers"):
        memory.from_meminfo({b"MemTotal": 1, b"MemFree": 1, b"Cached": 1})

"""Processor time is read out of a /proc/stat that this machine may not have."""

import math
from pathlib import Path

import pytest

from agent.collectors.cpu import kernel_stat
from agent.collectors.cpu.kernel_stat import KernelStatFile
from agent.collectors.cpu.utilization import CpuCollector
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at

STAT = b"""cpu  100 10 50 800 40 5 15 20 30 3
cpu0 50 5 25 400 20 3 7 10 15 1
cpu2 50 5 25 400 20 2 8 10 15 2
intr 12345 0 0 7
ctxt 99
processes 4711
procs_running 2
"""


def test_processor_times_leave_out_guests_which_are_counted_already() -> None:
    found = kernel_stat.parse(STAT)

    assert found.all_cores == (100, 10, 50, 800, 40, 5, 15, 20)
    assert list(found.cores) == ["0", "2"]
    assert found.processes_created == 4711


def test_old_kernels_tell_fewer_columns() -> None:
    assert kernel_stat.parse(b"cpu 1 2 3 4\nintr 1\nprocesses 5\n").all_cores == (1, 2, 3, 4, 0, 0, 0, 0)


def test_what_is_no_stat_is_an_error() -> None:
    with pytest.raises(ValueError, match="cpu"):
        kernel_stat.parse(b"intr 1\nprocesses 5\n")


def test_shares_of_processor_time_are_those_since_the_moment_before(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\nintr 1\nprocesses 1\n")
    collector = CpuCollector(stat=KernelStatFile(root=tmp_path))
    first = collector.collect(at(1))
    stat.write_bytes(b"cpu 30 10 20 25 5 3 2 5\ncpu0 30 10 20 25 5 3 2 5\nintr 1\nprocesses 1\n")
    found = collector.collect(at(2))

    assert catalog.METRIC_CPU_UTILIZATION not in first.core
    assert math.isnan(first.values[0])
    assert found.core[catalog.METRIC_CPU_UTILIZATION] == pytest.approx(0.70)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_USER] == pytest.approx(0.40)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_SYSTEM] == pytest.approx(0.20)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_IOWAIT] == pytest.approx(0.05)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_INTERRUPT] == pytest.approx(0.05)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_STEAL] == pytest.approx(0.05)
    assert found.values == pytest.approx([0.70])


def test_idle_time_that_goes_back_does_not_make_a_share_leave_its_range(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu 10 0 0 100 50 0 0 0\nintr 1\nprocesses 1\n")
    collector = CpuCollector(stat=KernelStatFile(root=tmp_path))
    collector.collect(at(1))
    stat.write_bytes(b"cpu 20 0 0 100 40 0 0 0\nintr 1\nprocesses 1\n")

    assert collector.collect(at(2)).core[catalog.METRIC_CPU_UTILIZATION] == 1.0


def test_a_processor_that_comes_on_line_gets_a_series_and_first_a_hole(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu 1 0 0 1\ncpu0 1 0 0 1\nintr 1\nprocesses 1\n")
    collector = CpuCollector(stat=KernelStatFile(root=tmp_path))
    collector.collect(at(1))
    stat.write_bytes(b"cpu 3 0 0 3\ncpu0 2 0 0 2\ncpu1 1 0 0 1\nintr 1\nprocesses 1\n")
    found = collector.collect(at(2))

    assert [labels for _, labels in found.series] == [("0",), ("1",)]
    assert found.values[0] == 0.5
    assert math.isnan(found.values[1])

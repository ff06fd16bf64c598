"""Pressure is what the kernel counted since the moment before."""

import errno
import os
from pathlib import Path

import pytest

from agent.collectors.proc_file import ProcFile
from agent.collectors.system.pressure import PressureCollector
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import grow

CPU, IO = catalog.METRIC_PRESSURE_CPU_SOME, catalog.METRIC_PRESSURE_IO_FULL


def line(kind: str, total_us: int) -> str:
    return f"{kind} avg10=99.00 avg60=99.00 avg300=99.00 total={total_us}"


def test_it_is_a_share_of_the_time_between_two_moments_and_not_an_average_of_ten_seconds(tmp_path: Path) -> None:
    grow(tmp_path, {"pressure/cpu": line("some", 0), "pressure/io": f"{line('some', 0)}\n{line('full', 0)}"})
    collector = PressureCollector(root=tmp_path)
    collector.collect(at(1))
    grow(tmp_path, {"pressure/cpu": line("some", 500_000), "pressure/io": line("full", 100_000)})
    found = collector.collect(at(3)).core

    assert found == pytest.approx({CPU: 0.25, IO: 0.05})


def test_it_is_never_more_than_all_the_time(tmp_path: Path) -> None:
    grow(tmp_path, {"pressure/cpu": line("some", 0)})
    collector = PressureCollector(root=tmp_path)
    collector.collect(at(1))
    grow(tmp_path, {"pressure/cpu": line("some", 1_000_100)})

    assert collector.collect(at(2)).core[CPU] == 1


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EOPNOTSUPP])
def test_a_kernel_that_counts_none_fails_at_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(_: ProcFile) -> bytes:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(ProcFile, "read", refuse)

    assert PressureCollector(root=tmp_path).collect(at(1)).core == {}


def test_what_can_not_be_read_for_another_reason_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "pressure/cpu").mkdir(parents=True)

    with pytest.raises(IsADirectoryError):
        PressureCollector(root=tmp_path).collect(at(1))

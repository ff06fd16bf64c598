"""Graphics processors are told as NVIDIA's program tells them."""

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.collector import Measured
from agent.collectors.hardware import gpu
from agent.collectors.hardware.gpu import MAX_GPUS, GpuCollector, gpu_listing
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at

SHOWN = """\
00000000:81:00.0, NVIDIA A100-SXM4-40GB, 87, 20480, 40960, 61, 312.45, [N/A]
00000000:01:00.0, Tesla T4, 0, 0, 15360, 34, [Not Supported], 30
"""


def test_what_the_program_shows(tmp_path: Path) -> None:
    collector = GpuCollector(listing=gpu_listing(lambda: gpu.parse(SHOWN)), driver=tmp_path)
    found = collector.collect(at(1))
    values = dict(zip(found.series, found.values, strict=True))
    a100, t4 = ("00000000:81:00.0", "NVIDIA A100-SXM4-40GB"), ("00000000:01:00.0", "Tesla T4")

    assert [labels for _, labels in found.series] == [t4] * 7 + [a100] * 7
    assert values[catalog.METRIC_GPU_UTILIZATION, a100] == 0.87
    assert values[catalog.METRIC_GPU_MEMORY, a100] == 20480 * 2**20
    assert values[catalog.METRIC_GPU_MEMORY_UTILIZATION, a100] == 0.5
    assert values[catalog.METRIC_GPU_TEMPERATURE, t4] == 34
    assert values[catalog.METRIC_GPU_POWER, a100] == 312.45
    assert values[catalog.METRIC_GPU_FAN_UTILIZATION, t4] == 0.3
    assert math.isnan(values[catalog.METRIC_GPU_POWER, t4])
    assert math.isnan(values[catalog.METRIC_GPU_FAN_UTILIZATION, a100])


def test_where_there_is_no_driver_no_program_is_run(tmp_path: Path) -> None:
    def never() -> gpu.Gpus:
        raise AssertionError("asked")

    assert GpuCollector(listing=gpu_listing(never), driver=tmp_path / "none").collect(at(1)) == Measured()


@given(st.text() | st.lists(st.sampled_from(SHOWN.replace("\n", ",").split(","))).map(", ".join))
def test_whatever_the_program_writes_is_read_without_an_error(text: str) -> None:
    gpus = gpu.parse(text)

    assert len(gpus) <= MAX_GPUS
    assert all(len(values) == 7 for values in gpus.values())

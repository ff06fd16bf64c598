"""How fast processors run, as cpuinfo or cpufreq tells it."""

import math
from pathlib import Path

from agent.collectors.collector import Measured
from agent.collectors.cpu.frequency import FrequencyCollector
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import grow

MEAN = catalog.METRIC_CPU_FREQUENCY


def collector(root: Path) -> FrequencyCollector:
    return FrequencyCollector(root=root, policies=root / "cpufreq")


def by_core(found: Measured) -> dict[str, float]:
    return {labels[0]: value for (_, labels), value in zip(found.series, found.values, strict=True)}


def test_cpuinfo_tells_each_processor_s_speed_in_megahertz(tmp_path: Path) -> None:
    grow(
        tmp_path,
        {
            "cpuinfo": "processor\t: 0\nmodel name\t: cpu MHz : 9\ncpu MHz\t\t: 1500.500\n\n"
            "processor\t: 3\ncpu MHz\t\t: 2500.500\n",
            "cpufreq/policy0/affected_cpus": "0 1 2 3",
            "cpufreq/policy0/scaling_cur_freq": "7",
        },
    )
    found = collector(tmp_path).collect(at(1))

    assert by_core(found) == {"0": 1_500_500_000, "3": 2_500_500_000}
    assert found.core == {MEAN: 2_000_500_000}


def test_a_processor_that_is_switched_off_takes_its_series_with_it(tmp_path: Path) -> None:
    grow(
        tmp_path,
        {
            "cpuinfo": "processor\t: 0\n",
            "cpufreq/policy0/affected_cpus": "0 1",
            "cpufreq/policy0/scaling_cur_freq": "1800000",
            "cpufreq/policy10/affected_cpus": "10",
            "cpufreq/policy10/scaling_cur_freq": "2400000",
        },
    )
    asking = collector(tmp_path)
    before, again = asking.collect(at(1)), asking.collect(at(2))
    grow(tmp_path, {"cpufreq/policy0/affected_cpus": "0"})
    after = asking.collect(at(3))

    assert by_core(before) == {"0": 1.8e9, "1": 1.8e9, "10": 2.4e9}
    assert again.series is before.series
    assert by_core(after) == {"0": 1.8e9, "10": 2.4e9}
    assert after.core == {MEAN: 2.1e9}


def test_a_driver_that_does_not_know_leaves_a_hole(tmp_path: Path) -> None:
    grow(
        tmp_path,
        {
            "cpuinfo": "",
            "cpufreq/policy0/affected_cpus": "0",
            "cpufreq/policy0/scaling_cur_freq": "<unknown>",
        },
    )
    found = collector(tmp_path).collect(at(1))

    assert math.isnan(by_core(found)["0"])
    assert found.core == {}


def test_a_machine_that_tells_no_speed_has_no_series(tmp_path: Path) -> None:
    grow(tmp_path, {"cpuinfo": "processor\t: 0\nBogoMIPS\t: 50.00\n"})
    found = collector(tmp_path).collect(at(1))

    assert (found.core, found.series) == ({}, ())

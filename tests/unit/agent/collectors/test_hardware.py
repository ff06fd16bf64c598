"""Temperatures, fans and batteries, read out of the /sys of machines that this one is not."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.aside import AsideCollector
from agent.collectors.collector import Collector, Measured
from agent.collectors.hardware.battery import BatteryCollector
from agent.collectors.hardware.fan import FanCollector
from agent.collectors.hardware.temperature import MAX_SENSORS, TemperatureCollector
from agent.worker import T, Worker
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import ARM_BOARD, LAPTOP, VIRTUAL_MACHINE, grow


def by_labels(found: Measured) -> dict[tuple[str, ...], float]:
    return {labels: value for (_, labels), value in zip(found.series, found.values, strict=True)}


def by_metric(found: Measured) -> dict[object, float]:
    return {metric: value for (metric, _), value in zip(found.series, found.values, strict=True)}


def test_a_laptop_s_temperatures_have_the_names_of_chip_and_sensor(tmp_path: Path) -> None:
    found = by_labels(TemperatureCollector(root=grow(tmp_path, LAPTOP)).collect(at(1)))

    assert found == {
        ("acpitz-thermal_zone0", "temp1"): 45.0,
        ("coretemp-coretemp.0", "Package id 0"): 49.0,
        ("coretemp-coretemp.0", "Core 0"): 48.0,
        ("coretemp-coretemp.0", "Core 8"): 47.0,
        ("nvme-nvme0", "Composite"): 38.85,
        ("nvme-nvme0", "Sensor 1"): 41.85,
        ("thinkpad-thinkpad_hwmon", "CPU"): 47.0,
        ("x86_pkg_temp", "thermal_zone1"): 49.0,
    }
    assert [name for _, name in found][1:4] == ["Package id 0", "Core 0", "Core 8"]


def test_series_are_the_same_when_drivers_come_in_another_order(tmp_path: Path) -> None:
    other = {name.replace("hwmon1", "hwmonX").replace("hwmon3", "hwmon1").replace("hwmonX", "hwmon3"): text
             for name, text in LAPTOP.items()}  # fmt: skip
    one = TemperatureCollector(root=grow(tmp_path / "one", LAPTOP)).collect(at(1))
    two = TemperatureCollector(root=grow(tmp_path / "two", other)).collect(at(1))

    assert one.series == two.series
    assert one.values == two.values


def test_a_zone_that_is_a_chip_too_is_told_once(tmp_path: Path) -> None:
    found = TemperatureCollector(root=grow(tmp_path, ARM_BOARD)).collect(at(1))

    assert by_labels(found) == {("cpu_thermal", "temp1"): 51.54}


@pytest.mark.parametrize("tree", [VIRTUAL_MACHINE, {}], ids=["empty folders", "no folders"])
@pytest.mark.parametrize("kind", [TemperatureCollector, FanCollector, BatteryCollector])
def test_a_machine_without_sensors_has_no_series(
    tmp_path: Path, tree: dict[str, str], kind: type[TemperatureCollector | FanCollector | BatteryCollector]
) -> None:
    collector: Collector = kind(root=grow(tmp_path, tree))

    assert collector.collect(at(1)) == Measured(values=[])


def test_a_sensor_that_gives_no_answer_is_a_hole_among_the_same_series(tmp_path: Path) -> None:
    collector = TemperatureCollector(root=grow(tmp_path, LAPTOP))
    before = collector.collect(at(1))
    (tmp_path / "hwmon/hwmon1/temp1_input").unlink()
    (tmp_path / "hwmon/hwmon1/temp2_input").write_text("")
    after = collector.collect(at(2))

    assert after.series is before.series
    assert [labels[1] for labels, value in by_labels(after).items() if math.isnan(value)] == ["Composite", "Sensor 1"]


def test_a_disk_that_is_plugged_in_gets_a_series(tmp_path: Path) -> None:
    collector = TemperatureCollector(root=grow(tmp_path, LAPTOP))
    before = collector.collect(at(1))
    grow(tmp_path, {"hwmon/hwmon9/name": "drivetemp", "hwmon/hwmon9/temp1_input": "30000"})
    after = collector.collect(at(2))

    assert set(after.series) - set(before.series) == {(catalog.METRIC_TEMPERATURE, ("drivetemp", "temp1"))}


def test_sensors_with_the_same_label_are_told_apart(tmp_path: Path) -> None:
    chip = {"hwmon/hwmon0/name": "k10temp"}
    for number in (1, 2):
        chip |= {f"hwmon/hwmon0/temp{number}_input": "1000", f"hwmon/hwmon0/temp{number}_label": "Tctl"}
    found = TemperatureCollector(root=grow(tmp_path, chip)).collect(at(1))

    assert list(by_labels(found)) == [("k10temp", "Tctl"), ("k10temp", "Tctl (temp2)")]


def test_no_more_sensors_are_told_than_are_worth_it(tmp_path: Path) -> None:
    chip = {"hwmon/hwmon0/name": "coretemp"}
    chip |= {f"hwmon/hwmon0/temp{number}_input": str(number * 1000) for number in range(1, MAX_SENSORS + 29)}
    found = TemperatureCollector(root=grow(tmp_path, chip)).collect(at(1))

    assert found.values == [float(number) for number in range(1, MAX_SENSORS + 1)]


def test_a_fan_has_its_speed(tmp_path: Path) -> None:
    found = FanCollector(root=grow(tmp_path, LAPTOP)).collect(at(1))

    assert found.series == ((catalog.METRIC_FAN_SPEED, ("thinkpad-thinkpad_hwmon", "fan1")),)
    assert found.values == [2890.0]


def test_a_laptop_s_battery_without_the_mouse_s(tmp_path: Path) -> None:
    found = BatteryCollector(root=grow(tmp_path, LAPTOP)).collect(at(1))

    assert {labels for _, labels in found.series} == {("BAT0",)}
    assert by_metric(found) == {
        catalog.METRIC_BATTERY_CHARGE: 0.81,
        catalog.METRIC_BATTERY_STATE: 1.0,
        catalog.METRIC_BATTERY_POWER: pytest.approx(6.84),
        catalog.METRIC_BATTERY_HEALTH: pytest.approx(50 / 57),
    }


def test_a_battery_that_tells_charge_and_current(tmp_path: Path) -> None:
    files = {"type": "Battery", "status": "Charging", "charge_now": "2000000", "charge_full": "4000000",
             "current_now": "-500000", "voltage_now": "12000000"}  # fmt: skip
    grow(tmp_path, {f"power_supply/macsmc/{name}": text for name, text in files.items()})
    found = by_metric(BatteryCollector(root=tmp_path).collect(at(1)))

    assert found[catalog.METRIC_BATTERY_CHARGE] == 0.5
    assert found[catalog.METRIC_BATTERY_STATE] == 2.0
    assert found[catalog.METRIC_BATTERY_POWER] == pytest.approx(6.0)
    assert math.isnan(found[catalog.METRIC_BATTERY_HEALTH])


def test_a_battery_that_tells_nothing_is_all_holes_but_for_its_state(tmp_path: Path) -> None:
    grow(tmp_path, {"power_supply/BAT1/type": "Battery", "power_supply/BAT1/status": "Something new"})
    found = by_metric(BatteryCollector(root=tmp_path).collect(at(1)))

    assert found.pop(catalog.METRIC_BATTERY_STATE) == 0.0
    assert all(math.isnan(value) for value in found.values())


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_whatever_a_sensor_writes_is_a_number_or_a_hole(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.mktemp("sys")
    grow(root, {"hwmon/hwmon0/name": text, "hwmon/hwmon0/temp1_label": text})
    (root / "hwmon/hwmon0/temp1_input").write_text(text)
    found = TemperatureCollector(root=root).collect(at(1))

    assert len(found.series) == len(found.values) == 1
    assert isinstance(found.values[0], float)


def test_where_there_is_nothing_to_ask_no_thread_is_started(tmp_path: Path) -> None:
    class Unused(Worker):
        def run(self, call: Callable[[], T]) -> T:
            raise AssertionError("asked")

    grow(tmp_path, {"empty/.keep": ""})
    (tmp_path / "empty/.keep").unlink()
    aside = AsideCollector(
        collector=FanCollector(root=tmp_path), worker=Unused(), only_with=(tmp_path / "empty", tmp_path / "none")
    )

    assert aside.collect(at(1)) == Measured()

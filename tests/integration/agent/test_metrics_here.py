"""Every metric of hardware, services and containers is in a real sample of this machine, or its reason to be absent is
named.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.catalog import CATALOG
from agent.collection import Collection, Workers, every_collector
from agent.collectors.collector import Moment
from agent.collectors.containers.choice import find_containers
from agent.collectors.hardware.gpu import DRIVER
from agent.collectors.hardware.hwmon import SYS_CLASS
from agent.collectors.services.units import BOOTED
from flick.clock import SystemClock


def sensors(kind: str) -> bool:
    return any(SYS_CLASS.glob(f"hwmon/*/{kind}*_input"))


def batteries() -> bool:
    return any(path.read_text().strip() == "Battery" for path in SYS_CLASS.glob("power_supply/*/type"))


def temperatures() -> bool:
    return sensors("temp") or any(SYS_CLASS.glob("thermal/thermal_zone*"))


# By the metrics' numbers: what has to be there for them, and what is said where it is not.
NEEDED: dict[range, tuple[Callable[[], bool], str]] = {
    range(540, 541): (temperatures, "no chip and no thermal zone tells a temperature here"),
    range(541, 542): (lambda: sensors("fan"), "no chip tells a fan's speed here"),
    range(542, 546): (batteries, "there is no battery here"),
    range(550, 557): (DRIVER.exists, "NVIDIA's driver is not loaded here"),
    range(560, 564): (BOOTED.exists, "systemd does not run here"),
    range(570, 580): (lambda: bool(find_containers()), "no container runs here"),
    range(590, 592): (Path("/proc/self/statm").exists, "there is no /proc here"),
}


@pytest.fixture(scope="module")
def measured() -> set[int]:
    clock = SystemClock()
    with Collection(collectors=every_collector(processes=False, commands=False, workers=Workers())) as collection:
        collection.collect(Moment(monotonic_s=clock.monotonic_s(), boottime_s=clock.boottime_s()))
        time.sleep(0.2)
        readings = collection.collect(Moment(monotonic_s=clock.monotonic_s(), boottime_s=clock.boottime_s()))
    return {metric for metric, _ in readings.series if isinstance(metric, int)}


@pytest.mark.parametrize("number", [number for number in sorted(CATALOG) if 540 <= number < 600])
def test_it_is_measured_here_or_there_is_a_reason_why_not(number: int, measured: set[int]) -> None:
    is_there, reason = next(needed for numbers, needed in NEEDED.items() if number in numbers)
    if not is_there():
        assert number not in measured
        pytest.skip(reason)

    assert number in measured

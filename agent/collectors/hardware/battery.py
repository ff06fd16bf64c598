"""Batteries of the machine: how full, what they do, the power that flows, and how much they still can hold."""

import math
import os
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.hardware.hwmon import SYS_CLASS
from agent.collectors.sys_file import names_in, number_or_none, read_or_none
from flick.v1 import catalog_pb2 as catalog

MAX_BATTERIES = 8
_METRICS = (
    catalog.METRIC_BATTERY_CHARGE,
    catalog.METRIC_BATTERY_STATE,
    catalog.METRIC_BATTERY_POWER,
    catalog.METRIC_BATTERY_HEALTH,
)
_STATES = {"Discharging": 1.0, "Charging": 2.0, "Not charging": 3.0, "Full": 4.0}  # the catalogue's numbers
_PER_UNIT = 1_000_000  # the kernel tells millionths of volts, amperes, watts, watt hours and ampere hours


class BatteryCollector:
    """Reads /sys/class/power_supply. Batteries of mice and keyboards, which come and go, are left out."""

    name = "battery"

    def __init__(self, *, root: Path = SYS_CLASS) -> None:
        self._root = os.fspath(root / "power_supply")
        self._listed: tuple[str, ...] = ()
        self._batteries: list[str] = []
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        listed = names_in(self._root)
        if listed != self._listed:
            self._batteries = [name for name in listed if _is_the_machine_s(f"{self._root}/{name}")][:MAX_BATTERIES]
            self._series = tuple((metric, (name,)) for name in self._batteries for metric in _METRICS)
            self._listed = listed
        return Measured(
            series=self._series,
            values=[value for name in self._batteries for value in _measured(f"{self._root}/{name}")],
        )

    def close(self) -> None:
        """See `Collector`."""


def _is_the_machine_s(folder: str) -> bool:
    return read_or_none(f"{folder}/type") == "Battery" and read_or_none(f"{folder}/scope") != "Device"


def _measured(folder: str) -> tuple[float, float, float, float]:
    """The values of `_METRICS`. Drivers tell energy or charge; a battery that was taken out tells neither."""
    told = "energy" if os.path.exists(f"{folder}/energy_full") else "charge"  # noqa: PTH110 - asked at every moment
    now, full, made_for = (number_or_none(f"{folder}/{told}_{name}") for name in ("now", "full", "full_design"))
    percent = number_or_none(f"{folder}/capacity")
    charge = _share(now, full) if percent is None else min(percent / 100, 1.0)
    state = _STATES.get(read_or_none(f"{folder}/status") or "", 0.0)
    return charge, state, _watts(folder), _share(full, made_for)


def _watts(folder: str) -> float:
    power = number_or_none(f"{folder}/power_now")
    if power is not None:
        return abs(power) / _PER_UNIT
    current, voltage = number_or_none(f"{folder}/current_now"), number_or_none(f"{folder}/voltage_now")
    # Some drivers tell a current that flows out as a negative one, others do not: the state says which way it flows.
    return math.nan if current is None or voltage is None else abs(current) * voltage / _PER_UNIT**2


def _share(part: int | None, whole: int | None) -> float:
    return part / whole if part is not None and whole else math.nan

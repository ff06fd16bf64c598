"""Speeds of fans."""

import math
import os
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.hardware.hwmon import SYS_CLASS, Sensor, chip_sensors
from agent.collectors.sys_file import names_in, number_or_none
from flick.v1 import catalog_pb2 as catalog

MAX_FANS = 50


class FanCollector:
    """Reads /sys/class/hwmon. A fan that gives no answer now is a hole and stays a series."""

    name = "fan"

    def __init__(self, *, root: Path = SYS_CLASS) -> None:
        self._hwmon = os.fspath(root / "hwmon")
        self._listed: tuple[str, ...] = ()
        self._fans: list[Sensor] = []
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        listed = names_in(self._hwmon)
        if listed != self._listed:
            found = [fan for chip in listed for fan in chip_sensors(f"{self._hwmon}/{chip}", kind="fan")]
            self._fans = sorted(found, key=lambda fan: fan.chip)[:MAX_FANS]
            self._series = tuple((catalog.METRIC_FAN_SPEED, (fan.chip, fan.name)) for fan in self._fans)
            self._listed = listed
        return Measured(series=self._series, values=[_per_minute(fan) for fan in self._fans])

    def close(self) -> None:
        """See `Collector`."""


def _per_minute(fan: Sensor) -> float:
    value = number_or_none(fan.path)
    return math.nan if value is None else float(value)

"""Temperatures: of every chip that tells some, and of thermal zones that no chip tells of."""

import math
import os
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.hardware.hwmon import SYS_CLASS, Sensor, chip_sensors
from agent.collectors.sys_file import names_in, number_or_none, read_or_none
from flick.v1 import catalog_pb2 as catalog

MAX_SENSORS = 100  # processors with more cores than that tell one for each
_MILLI = 1000


class TemperatureCollector:
    """Reads /sys/class/hwmon and /sys/class/thermal. A sensor that gives no answer now is a hole and stays a series."""

    name = "temperature"

    def __init__(self, *, root: Path = SYS_CLASS) -> None:
        self._hwmon, self._thermal = os.fspath(root / "hwmon"), os.fspath(root / "thermal")
        self._listed: tuple[tuple[str, ...], ...] = ()
        self._sensors: list[Sensor] = []
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        listed = (names_in(self._hwmon), names_in(self._thermal))
        if listed != self._listed:
            self._sensors = self._find(*listed)
            self._series = tuple((catalog.METRIC_TEMPERATURE, (sensor.chip, sensor.name)) for sensor in self._sensors)
            self._listed = listed
        return Measured(series=self._series, values=[_celsius(sensor) for sensor in self._sensors])

    def close(self) -> None:
        """See `Collector`."""

    def _find(self, chips: tuple[str, ...], zones: tuple[str, ...]) -> list[Sensor]:
        sensors = [sensor for chip in chips for sensor in chip_sensors(f"{self._hwmon}/{chip}", kind="temp")]
        told = {read_or_none(f"{self._hwmon}/{chip}/name") for chip in chips}
        for zone in zones:
            kind = read_or_none(f"{self._thermal}/{zone}/type")
            # The kernel makes a chip of most zones, and calls it as the zone's type but for what names may not hold.
            if zone.startswith("thermal_zone") and kind is not None and kind.replace("-", "_") not in told:
                sensors.append(Sensor(kind, zone, f"{self._thermal}/{zone}/temp"))
        once = {(sensor.chip, sensor.name): sensor for sensor in reversed(sensors)}
        return sorted(once.values(), key=lambda sensor: (sensor.chip, sensors.index(sensor)))[:MAX_SENSORS]


def _celsius(sensor: Sensor) -> float:
    value = number_or_none(sensor.path)
    return math.nan if value is None else value / _MILLI

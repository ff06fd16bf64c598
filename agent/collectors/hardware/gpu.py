"""Graphics processors, where NVIDIA's own program answers."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from agent.calm import Calm
from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.program import ask_program
from flick.v1 import catalog_pb2 as catalog

ASKED_EVERY_S = 15.0  # the program takes up to half a second of processor time
DRIVER = Path("/proc/driver/nvidia/version")  # is there while the driver is loaded
MAX_GPUS = 16
_FIELDS = "pci.bus_id,name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw,fan.speed"
_COMMAND = ("nvidia-smi", f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits")
_WITHIN_S = 15.0  # a driver that wakes up its devices for this takes several seconds
_METRICS = (
    catalog.METRIC_GPU_UTILIZATION,
    catalog.METRIC_GPU_MEMORY,
    catalog.METRIC_GPU_MEMORY_LIMIT,
    catalog.METRIC_GPU_MEMORY_UTILIZATION,
    catalog.METRIC_GPU_TEMPERATURE,
    catalog.METRIC_GPU_POWER,
    catalog.METRIC_GPU_FAN_UTILIZATION,
)
_MIB = 1024 * 1024
_PERCENT = 100

Gpus = Mapping[tuple[str, str], tuple[float, ...]]
"""The values of `_METRICS` by place on the bus and model."""


class GpuCollector:
    """Tells what was answered last; nothing where there is no such driver.

    Args:
        listing: tells of every device, at a calm rhythm; shared by all sets of collectors.
        driver: is there while the driver is loaded.
    """

    name = "gpu"

    def __init__(self, *, listing: Calm[Gpus], driver: Path = DRIVER) -> None:
        self._listing = listing
        self._driver = os.fspath(driver)
        self._gpus: Gpus = {}
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        if not os.path.exists(self._driver):  # noqa: PTH110 - asked at every moment
            return Measured()
        gpus = self._listing.latest(moment.monotonic_s) or {}
        if gpus.keys() != self._gpus.keys():
            self._series = tuple((metric, labels) for labels in gpus for metric in _METRICS)
        self._gpus = gpus
        return Measured(series=self._series, values=[value for values in gpus.values() for value in values])

    def close(self) -> None:
        """See `Collector`."""


def gpu_listing(ask: Callable[[], Gpus] | None = None) -> Calm[Gpus]:
    """What all sets of collectors share."""
    return Calm(ask=ask or show_gpus, every_s=ASKED_EVERY_S)


def show_gpus() -> Gpus:
    """Every device. Raises OSError when the program can't be run or fails, TimeoutError when it is slow."""
    return parse(ask_program(_COMMAND, within_s=_WITHIN_S))


def parse(text: str) -> Gpus:
    """Read lines of `_FIELDS`; what a device does not tell is a text in brackets."""
    gpus = {}
    for line in text.splitlines():
        words = [word.strip() for word in line.split(",")]
        if len(words) == _FIELDS.count(",") + 1 and words[0]:
            use, used, total, temperature, power, fan = map(_number, words[2:])
            gpus[words[0], words[1]] = (
                use / _PERCENT,
                used * _MIB,
                total * _MIB,
                used / total if total else math.nan,
                temperature,
                power,
                fan / _PERCENT,
            )
    return dict(sorted(gpus.items())[:MAX_GPUS])


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) and number >= 0 else math.nan

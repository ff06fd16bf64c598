"""The sensors of /sys/class/hwmon under names that stay the same over restarts, whatever the order of drivers."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from agent.collectors.sys_file import names_in, read_or_none

SYS_CLASS = Path("/sys/class")


class Sensor(NamedTuple):
    """A sensor: the chip it belongs to, its name there, and the file that tells its value."""

    chip: str
    name: str
    path: str


def chip_sensors(folder: str, *, kind: str) -> list[Sensor]:
    """The sensors of one chip, a folder such as `hwmon3`, in its order. `kind`: what their files begin with: `temp`."""
    pattern = re.compile(rf"{kind}(\d+)_input")
    numbers = sorted(int(found.group(1)) for name in names_in(folder) if (found := pattern.fullmatch(name)))
    chip, taken, sensors = chip_name(folder), set(), []
    for number in numbers:
        plain = f"{kind}{number}"
        label = read_or_none(f"{folder}/{plain}_label") or plain
        name = label if label not in taken else f"{label} ({plain})"
        taken.add(name)
        sensors.append(Sensor(chip, name, f"{folder}/{plain}_input"))
    return sensors


def chip_name(folder: str) -> str:
    """The driver's name and the device's, since several chips may have the same driver: `nvme-nvme0`.

    hwmon's own numbers depend on the order in which drivers are loaded.
    """
    driver = read_or_none(f"{folder}/name") or "unnamed"
    device = f"{folder}/device"
    return f"{driver}-{os.path.basename(os.path.realpath(device))}" if os.path.lexists(device) else driver  # noqa: PTH119

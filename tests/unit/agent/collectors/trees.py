"""Parts of /proc and /sys as machines have them, written into a folder."""

from collections.abc import Mapping
from pathlib import Path


def grow(root: Path, files: Mapping[str, str]) -> Path:
    """Write each file below `root`; a text that begins with `-> ` becomes a link to what follows. Returns `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text.removeprefix("-> "))
        else:
            path.write_text(text if text.endswith("\n") else text + "\n")
    return root


# A laptop: a processor with two cores, a disk, a fan, a battery, its mains and a mouse's battery. As in
# Documentation/ABI/testing/sysfs-class-power and Documentation/hwmon/sysfs-interface of the kernel.
LAPTOP = {
    "hwmon/hwmon0/name": "acpitz",
    "hwmon/hwmon0/device": "-> ../../thermal/thermal_zone0",
    "hwmon/hwmon0/temp1_input": "45000",
    "hwmon/hwmon1/name": "nvme",
    "hwmon/hwmon1/device": "-> ../../../devices/pci0000:00/0000:01:00.0/nvme/nvme0",
    "hwmon/hwmon1/temp1_input": "38850",
    "hwmon/hwmon1/temp1_label": "Composite",
    "hwmon/hwmon1/temp2_input": "41850",
    "hwmon/hwmon1/temp2_label": "Sensor 1",
    "hwmon/hwmon2/name": "thinkpad",
    "hwmon/hwmon2/device": "-> ../../../devices/platform/thinkpad_hwmon",
    "hwmon/hwmon2/fan1_input": "2890",
    "hwmon/hwmon2/temp1_input": "47000",
    "hwmon/hwmon2/temp1_label": "CPU",
    "hwmon/hwmon3/name": "coretemp",
    "hwmon/hwmon3/device": "-> ../../../devices/platform/coretemp.0",
    "hwmon/hwmon3/temp1_input": "49000",
    "hwmon/hwmon3/temp1_label": "Package id 0",
    "hwmon/hwmon3/temp2_input": "48000",
    "hwmon/hwmon3/temp2_label": "Core 0",
    "hwmon/hwmon3/temp10_input": "47000",
    "hwmon/hwmon3/temp10_label": "Core 8",
    "thermal/thermal_zone0/type": "acpitz",
    "thermal/thermal_zone0/temp": "45000",
    "thermal/thermal_zone1/type": "x86_pkg_temp",
    "thermal/thermal_zone1/temp": "49000",
    "thermal/cooling_device0/type": "Processor",
    "power_supply/AC/type": "Mains",
    "power_supply/AC/online": "0",
    "power_supply/BAT0/type": "Battery",
    "power_supply/BAT0/status": "Discharging",
    "power_supply/BAT0/capacity": "81",
    "power_supply/BAT0/energy_now": "40500000",
    "power_supply/BAT0/energy_full": "50000000",
    "power_supply/BAT0/energy_full_design": "57000000",
    "power_supply/BAT0/power_now": "6840000",
    "power_supply/hidpp_battery_0/type": "Battery",
    "power_supply/hidpp_battery_0/scope": "Device",
    "power_supply/hidpp_battery_0/capacity": "55",
}

# A virtual machine: the folders are there, and empty.
VIRTUAL_MACHINE = {"power_supply/.keep": "", "thermal/.keep": "", "hwmon/.keep": ""}

# A small ARM board: the zone of the processor is a chip as well, named with an underscore.
ARM_BOARD = {
    "hwmon/hwmon0/name": "cpu_thermal",
    "hwmon/hwmon0/temp1_input": "51540",
    "hwmon/hwmon1/name": "rpi_volt",
    "hwmon/hwmon1/in0_lcrit_alarm": "0",
    "thermal/thermal_zone0/type": "cpu-thermal",
    "thermal/thermal_zone0/temp": "51540",
}

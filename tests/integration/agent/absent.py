"""Why a metric may have no value on the machine that runs the tests."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from flick.v1 import catalog_pb2 as catalog

Reason = tuple[str, Callable[[], bool]]


def _tells_no_speed() -> bool:
    told = "cpu MHz" in Path("/proc/cpuinfo").read_text()
    return not told and not list(Path("/sys/devices/system/cpu/cpufreq").glob("policy*/scaling_cur_freq"))


def _has_no_disk() -> bool:
    lines = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    used = {words[2] for words in lines if words[3] != "0" or words[7] != "0"}
    return not any(path.name in used and (path / "device").exists() for path in Path("/sys/block").glob("*"))


_NO_PRESSURE = ("the kernel counts no pressure", lambda: not Path("/proc/pressure/cpu").exists())
_NO_SPEED = ("the machine does not tell how fast its processors are", _tells_no_speed)
_NO_DISK = ("the machine has no disk of its own that did something", _has_no_disk)
_NO_INODES = ("the file systems make inodes as needed", lambda: not os.statvfs("/").f_files)
_NO_SESSIONS = (
    "the system keeps no list of who is logged in",
    lambda: not Path("/run/utmp").exists() and not Path("/run/systemd/sessions").exists(),
)
_NO_OOM_COUNT = ("the kernel is older than 4.13", lambda: "\noom_kill " not in Path("/proc/vmstat").read_text())
_NO_SWAP_COUNT = ("the kernel was built without swap", lambda: "\npswpin " not in Path("/proc/vmstat").read_text())
_NO_INTERFACE = ("there is no interface but loopback", lambda: len(os.listdir("/sys/class/net")) < 2)  # noqa: PTH208
_NOTHING_DONE = ("nothing was read or written meanwhile", lambda: True)

REASONS: Mapping[int, Reason] = {
    catalog.METRIC_CPU_FREQUENCY: _NO_SPEED,
    catalog.METRIC_CPU_CORE_FREQUENCY: _NO_SPEED,
    **dict.fromkeys(range(catalog.METRIC_PRESSURE_CPU_SOME, catalog.METRIC_PRESSURE_IO_FULL + 1), _NO_PRESSURE),
    catalog.METRIC_DISK_READ: _NO_DISK,
    catalog.METRIC_DISK_WRITE: _NO_DISK,
    **dict.fromkeys(range(catalog.METRIC_DEVICE_READ, catalog.METRIC_DEVICE_OPERATIONS_WRITE + 1), _NO_DISK),
    catalog.METRIC_DEVICE_LATENCY_READ: _NOTHING_DONE,
    catalog.METRIC_DEVICE_LATENCY_WRITE: _NOTHING_DONE,
    catalog.METRIC_DEVICE_UTILIZATION: _NO_DISK,
    catalog.METRIC_DEVICE_QUEUE: _NO_DISK,
    **dict.fromkeys(
        range(catalog.METRIC_FILESYSTEM_INODES_USED, catalog.METRIC_FILESYSTEM_INODES_UTILIZATION + 1), _NO_INODES
    ),
    **dict.fromkeys(
        range(catalog.METRIC_INTERFACE_RECEIVE, catalog.METRIC_INTERFACE_PACKETS_TRANSMIT + 1), _NO_INTERFACE
    ),
    **dict.fromkeys(
        range(catalog.METRIC_INTERFACE_ERRORS_RECEIVE, catalog.METRIC_INTERFACE_DROPPED_TRANSMIT + 1), _NO_INTERFACE
    ),
    catalog.METRIC_NETWORK_RECEIVE: _NO_INTERFACE,
    catalog.METRIC_NETWORK_TRANSMIT: _NO_INTERFACE,
    catalog.METRIC_SWAP_IN: _NO_SWAP_COUNT,
    catalog.METRIC_SWAP_OUT: _NO_SWAP_COUNT,
    catalog.METRIC_OOM_KILLS: _NO_OOM_COUNT,
    catalog.METRIC_SESSION_COUNT: _NO_SESSIONS,
}
"""By metric the reason, and whether it holds here. A metric that is not named must be measured on every Linux."""


def is_excused(metric: int) -> bool:
    """Whether this machine can't tell a metric."""
    reason = REASONS.get(metric)
    return reason is not None and reason[1]()

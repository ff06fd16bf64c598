"""What `systemctl show` says of every service: asked as a program, since the agent has no D-Bus library."""

from collections.abc import Mapping
from typing import NamedTuple

from agent.collectors.program import ask_program

_PROPERTIES = ("Id", "Type", "LoadState", "ActiveState", "NRestarts", "ControlGroup", "CPUUsageNSec")
_COMMAND = ("systemctl", "show", "*.service", "--no-pager", f"--property={','.join(_PROPERTIES)}")
_WITHIN_S = 10.0
_UNSET = 2**64 - 1  # how systemd writes a counter that it does not keep
_STATES = {  # the catalogue's numbers
    "active": 1.0,
    "reloading": 2.0,
    "inactive": 3.0,
    "failed": 4.0,
    "activating": 5.0,
    "deactivating": 6.0,
}


class Unit(NamedTuple):
    """A service that systemd has in memory.

    `state` is the catalogue's number, `restarts` how often it was started again by itself, `group` its control group's
    path (empty while nothing of it runs), `cpu_ns` the processor time it used.
    """

    name: str
    kind: str
    state: float
    restarts: int
    group: str
    cpu_ns: int

    @classmethod
    def gone(cls, name: str) -> "Unit":
        """One that systemd no longer knows."""
        return cls(name=name, kind="", state=0.0, restarts=0, group="", cpu_ns=0)

    @property
    def failed(self) -> bool:
        """Whether it has failed."""
        return self.state == _STATES["failed"]

    @property
    def serves(self) -> bool:
        """Whether it runs or is on its way to: what does its work once at the start is no service in this sense."""
        return self.kind != "oneshot" and self.state not in (0.0, _STATES["inactive"], _STATES["failed"])


Units = Mapping[str, Unit]


def show_services() -> Units:
    """Every service by its name. Raises OSError when systemctl can't be run or fails, TimeoutError when it is slow."""
    return parse(ask_program(_COMMAND, within_s=_WITHIN_S))


def parse(text: str) -> Units:
    """Read blocks of `Name=value`, one for each unit, an empty line between. A unit that is only named is left out."""
    units = {}
    for block in text.split("\n\n"):
        told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = told.get("Id", "")
        if name and told.get("LoadState") != "not-found":
            units[name] = Unit(
                name=name,
                kind=told.get("Type", ""),
                state=_STATES.get(told.get("ActiveState", ""), 0.0),
                restarts=_count(told.get("NRestarts", "")),
                group=told.get("ControlGroup", ""),
                cpu_ns=_count(told.get("CPUUsageNSec", "")),
            )
    return units


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    return 0 if number >= _UNSET else number

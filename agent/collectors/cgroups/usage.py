"""What a control group uses, the same for both versions of control groups."""

from typing import NamedTuple, Protocol


class Usage(NamedTuple):
    """Everything that is told of a group; None: not told. Counters go on from the group's start.

    `memory_limit`: None also when there is none. `periods`: scheduling periods in which a group with a limit of
    processor time ran, `throttled`: those in which the limit held it up.
    """

    cpu_us: int | None = None
    periods: int | None = None
    throttled: int | None = None
    memory: int | None = None
    memory_inactive_file: int | None = None
    memory_limit: int | None = None
    bytes_read: int | None = None
    bytes_written: int | None = None
    tasks: int | None = None


class Hierarchy(Protocol):
    """The groups of this machine. A group is named by its path, such as `/system.slice/cron.service`."""

    tree: str
    """The folder below which every group has a folder."""

    def cpu_us(self, group: str) -> int | None:
        """Processor time used, in microseconds; None: not told, as of a group that has gone."""
        ...

    def memory(self, group: str) -> int | None:
        """Memory in use, in bytes; None: not told."""
        ...

    def usage(self, group: str) -> Usage:
        """Everything."""
        ...


def numbers(text: str | None) -> dict[str, int]:
    """The lines `name number` of a file such as cpu.stat; others are left out."""
    found = {}
    for line in (text or "").splitlines():
        name, _, number = line.partition(" ")
        if number.isascii() and number.isdigit():
            found[name] = int(number)
    return found

"""Control groups, version 2: one tree for everything (Documentation/admin-guide/cgroup-v2.rst of the kernel)."""

from agent.collectors.cgroups.usage import Usage, numbers
from agent.collectors.sys_file import number_or_none, read_or_none


class UnifiedHierarchy:
    """The tree below `root`. See `Hierarchy`."""

    def __init__(self, *, root: str) -> None:
        self.tree = root

    def cpu_us(self, group: str) -> int | None:
        """See `Hierarchy`."""
        return numbers(read_or_none(f"{self.tree}{group}/cpu.stat")).get("usage_usec")

    def memory(self, group: str) -> int | None:
        """See `Hierarchy`."""
        return number_or_none(f"{self.tree}{group}/memory.current")

    def usage(self, group: str) -> Usage:
        """See `Hierarchy`."""
        folder = self.tree + group
        cpu = numbers(read_or_none(f"{folder}/cpu.stat"))
        read, written = transferred(read_or_none(f"{folder}/io.stat"))
        return Usage(
            cpu_us=cpu.get("usage_usec"),
            periods=cpu.get("nr_periods"),
            throttled=cpu.get("nr_throttled"),
            memory=number_or_none(f"{folder}/memory.current"),
            memory_inactive_file=numbers(read_or_none(f"{folder}/memory.stat")).get("inactive_file"),
            memory_limit=number_or_none(f"{folder}/memory.max"),  # `max` where there is none
            bytes_read=read,
            bytes_written=written,
            tasks=number_or_none(f"{folder}/pids.current"),
        )


def transferred(text: str | None) -> tuple[int | None, int | None]:
    """Bytes read and written by io.stat, over all devices. A group that has done no I/O has an empty file."""
    if text is None:
        return None, None
    totals = {"rbytes": 0, "wbytes": 0}
    for line in text.splitlines():
        for word in line.split(" ")[1:]:
            name, _, number = word.partition("=")
            if name in totals and number.isascii() and number.isdigit():
                totals[name] += int(number)
    return totals["rbytes"], totals["wbytes"]

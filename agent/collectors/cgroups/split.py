"""Control groups, version 1: a tree for each controller (Documentation/admin-guide/cgroup-v1 of the kernel)."""

from agent.collectors.cgroups.usage import Usage, numbers
from agent.collectors.sys_file import names_in, number_or_none, read_or_none

_NS_PER_US = 1000
_NO_LIMIT = 1 << 62  # what a limit is called that nobody has set: near 2^63, rounded to a page
_WALKED = ("memory", "pids", "cpuacct", "systemd")  # of these the first that is there has a folder for every container


class SplitHierarchy:
    """The trees below `root`, some of which may be missing. See `Hierarchy`."""

    def __init__(self, *, root: str) -> None:
        trees = {}
        for folder in names_in(root):  # `cpu,cpuacct` is one tree of two controllers
            trees.update(dict.fromkeys(folder.split(","), f"{root}/{folder}"))
        self._trees = trees
        self.tree = next((trees[name] for name in _WALKED if name in trees), "")

    def cpu_us(self, group: str) -> int | None:
        """See `Hierarchy`."""
        used_ns = number_or_none(self._file("cpuacct", group, "cpuacct.usage"))
        return None if used_ns is None else used_ns // _NS_PER_US

    def memory(self, group: str) -> int | None:
        """See `Hierarchy`."""
        return number_or_none(self._file("memory", group, "memory.usage_in_bytes"))

    def usage(self, group: str) -> Usage:
        """See `Hierarchy`."""
        cpu = numbers(read_or_none(self._file("cpu", group, "cpu.stat")))
        memory = numbers(read_or_none(self._file("memory", group, "memory.stat")))
        limit = number_or_none(self._file("memory", group, "memory.limit_in_bytes"))
        read, written = transferred(read_or_none(self._file("blkio", group, "blkio.throttle.io_service_bytes")))
        return Usage(
            cpu_us=self.cpu_us(group),
            periods=cpu.get("nr_periods"),
            throttled=cpu.get("nr_throttled"),
            memory=self.memory(group),
            memory_inactive_file=memory.get("total_inactive_file"),
            memory_limit=None if limit is None or limit >= _NO_LIMIT else limit,
            bytes_read=read,
            bytes_written=written,
            tasks=number_or_none(self._file("pids", group, "pids.current")),
        )

    def _file(self, controller: str, group: str, name: str) -> str:
        return f"{self._trees.get(controller, '/nowhere')}{group}/{name}"


def transferred(text: str | None) -> tuple[int | None, int | None]:
    """Bytes read and written by blkio.throttle.io_service_bytes, whose lines are `8:0 Read 4096`."""
    if text is None:
        return None, None
    totals = {"Read": 0, "Write": 0}
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) == 3 and words[1] in totals and words[2].isascii() and words[2].isdigit():
            totals[words[1]] += int(words[2])
    return totals["Read"], totals["Write"]

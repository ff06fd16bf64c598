"""A container's network traffic, as one of its processes sees it."""

import os
from pathlib import Path

from agent.collectors.proc_file import PROC
from agent.collectors.sys_file import read_or_none

_RECEIVED, _SENT = 0, 8  # columns of /proc/net/dev
_HEADER_LINES = 2


class ContainerTraffic:
    """Reads /proc/PID/net/dev of a process that is in the container at that moment."""

    def __init__(self, *, tree: str, group: str, root: Path = PROC) -> None:
        self._folder = tree + group
        self._root = os.fspath(root)

    def bytes_moved(self) -> tuple[int, int] | None:
        """Bytes received and sent by all its interfaces but loopback since they were made.

        None when the container has no network of its own, has ended, or may not be asked.
        """
        pid = self._any_process()
        text = read_or_none(f"{self._root}/{pid}/net/dev") if pid and self._is_apart(pid) else None
        return None if text is None else parse(text)

    def _any_process(self) -> str:
        """A process of the group or, where a runtime puts them one deeper, of a group below it."""
        for folder in (self._folder, *(f"{self._folder}/{name}" for name in ("container", "init.scope", ".lxc"))):
            text = read_or_none(f"{folder}/cgroup.procs")
            if text:
                return text.split("\n", 1)[0]
        return ""

    def _is_apart(self, pid: str) -> bool:
        try:
            own = os.readlink(f"{self._root}/self/ns/net")  # noqa: PTH115 - asked at every moment
            return os.readlink(f"{self._root}/{pid}/ns/net") != own  # noqa: PTH115
        except OSError:
            return False


def parse(text: str) -> tuple[int, int]:
    """Bytes received and sent, over all interfaces but loopback."""
    received = sent = 0
    for line in text.splitlines()[_HEADER_LINES:]:
        name, _, rest = line.rpartition(":")
        columns = rest.split()
        if name.strip() != "lo" and len(columns) > _SENT:
            received += int(columns[_RECEIVED])
            sent += int(columns[_SENT])
    return received, sent

"""What listed processes read from storage and write to it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from agent.collectors.proc_file import PROC
from agent.collectors.processes.table import ProcessStat
from agent.worker import Worker

_MAX_BYTES = 512  # seven lines
_READ, _WRITTEN = b"\nread_bytes: ", b"\nwrite_bytes: "


Key = tuple[int, int]
"""What tells a process from a later one: its pid and when it started."""


class Transferred(NamedTuple):
    """Bytes read and written since the process started, or per second."""

    read: float
    written: float


class ProcessTransfers:
    """Reads /proc/PID/io, which waits while the process becomes another program: therefore on a worker.

    The kernel tells it only of one's own processes, or to root. Files stay open as long as their process is listed.
    """

    def __init__(self, *, worker: Worker, root: Path = PROC) -> None:
        self._worker = worker
        self._root = os.fspath(root)
        self._open: dict[Key, int] = {}
        self._before_s = 0.0
        self._before: Mapping[Key, Transferred] = {}

    def of(self, listed: Sequence[ProcessStat], now_s: float) -> list[Transferred | None]:
        """Bytes per second of each since it was asked before; None: it was not listed then, or is not told."""
        found: Mapping[Key, Transferred] = {}
        with suppress(TimeoutError):
            found = self._worker.run(lambda: self._read(listed))
        before, self._before = self._before, found
        passed_s, self._before_s = now_s - self._before_s, now_s
        keys = [(stat.pid, stat.start_ticks) for stat in listed]
        return [_rates(before.get(key), found.get(key), passed_s) for key in keys]

    def close(self) -> None:
        """Close the files; the next question opens them again."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _read(self, listed: Sequence[ProcessStat]) -> Mapping[Key, Transferred]:
        found: dict[Key, Transferred] = {}
        for stat in listed:
            key = (stat.pid, stat.start_ticks)
            try:
                fd = self._open.get(key)
                if fd is None:
                    fd = self._open[key] = os.open(f"{self._root}/{stat.pid}/io", os.O_RDONLY | os.O_CLOEXEC)
                found[key] = parse(os.pread(fd, _MAX_BYTES, 0))
            except (OSError, ValueError):  # it ended, or is not ours to ask
                continue
        for key in self._open.keys() - found.keys():
            os.close(self._open.pop(key))
        return found


def parse(text: bytes) -> Transferred:
    """Read the format of proc_pid_io(5). Raises ValueError when it is not that."""
    read, written = text.index(_READ) + len(_READ), text.index(_WRITTEN) + len(_WRITTEN)
    return Transferred(int(text[read : text.index(b"\n", read)]), int(text[written : text.index(b"\n", written)]))


def _rates(before: Transferred | None, after: Transferred | None, passed_s: float) -> Transferred | None:
    if before is None or after is None or passed_s <= 0:
        return None
    read, written = after.read - before.read, after.written - before.written
    return Transferred(read / passed_s, written / passed_s) if read >= 0 and written >= 0 else None

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


class Transferred(NamedTuple):
    """Bytes read and written since the process started, or per second."""

    read: float
    written: float


class ProcessTransfers:
    """Reads /proc/PID/io, which waits while the process becomes another program: therefore on a worker.

    The kernel tells it only of one's own processes, or to root.
    """

    def __init__(self, *, worker: Worker, root: Path = PROC) -> None:
        self._worker = worker
        self._root = os.fspath(root)
        self._before_s = 0.0
        self._before: Mapping[tuple[int, int], Transferred] = {}

    def of(self, listed: Sequence[ProcessStat], now_s: float) -> list[Transferred | None]:
        """Bytes per second of each since it was asked before; None: it was not listed then, or is not told."""
        found: Mapping[tuple[int, int], Transferred] = {}
        with suppress(TimeoutError):
            found = self._worker.run(lambda: self._read(listed))
        before, self._before = self._before, found
        passed_s, self._before_s = now_s - self._before_s, now_s
        return [_rates(before.get(_key(stat)), found.get(_key(stat)), passed_s) for stat in listed]

    def _read(self, listed: Sequence[ProcessStat]) -> Mapping[tuple[int, int], Transferred]:
        found = {}
        for stat in listed:
            with suppress(OSError, ValueError):  # it ended, or is not ours to ask
                fd = os.open(f"{self._root}/{stat.pid}/io", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    found[_key(stat)] = parse(os.read(fd, _MAX_BYTES))
                finally:
                    os.close(fd)
        return found


def parse(text: bytes) -> Transferred:
    """Read the format of proc_pid_io(5). Raises ValueError when it is not that."""
    return Transferred(*(int(text[text.index(name) + len(name) :].partition(b"\n")[0]) for name in (_READ, _WRITTEN)))


def _rates(before: Transferred | None, after: Transferred | None, passed_s: float) -> Transferred | None:
    if before is None or after is None or passed_s <= 0:
        return None
    read, written = after.read - before.read, after.written - before.written
    return Transferred(read / passed_s, written / passed_s) if read >= 0 and written >= 0 else None


def _key(stat: ProcessStat) -> tuple[int, int]:
    return stat.pid, stat.start_ticks

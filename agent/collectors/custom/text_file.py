"""A text file of metrics, which a job writes when it has something to tell."""

import os
import stat
import time
from typing import BinaryIO

from agent.collectors.custom.program import MAX_OUTPUT_BYTES
from agent.collectors.custom.reading import Told, read_told


class TextFile:
    """Reads a file anew when it was written.

    Args:
        path: which one.
        stale_s: when it was not written for longer it counts as failed.
    """

    def __init__(self, *, path: str, stale_s: float) -> None:
        self._path = path
        self._stale_s = stale_s
        self._version: tuple[int, int, int] | None = None
        self._told: Told | None = None

    def read(self) -> Told:
        """What it tells, the very same object until it is written again; its moment is that of the writing.

        Raises OSError when it can't be read, ValueError when it tells nonsense or too much, TimeoutError when it is
        stale.
        """
        with open_file(self._path) as file:
            status = os.fstat(file.fileno())
            age_s = time.time() - status.st_mtime
            if age_s > self._stale_s:
                raise TimeoutError(f"not written for {_duration(age_s)}")
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._told is None or version != self._version:
                text = file.read(MAX_OUTPUT_BYTES + 1)
                if len(text) > MAX_OUTPUT_BYTES:
                    raise ValueError(f"has more than {MAX_OUTPUT_BYTES} bytes")
                self._told, self._version = read_told(text, at_s=status.st_mtime_ns / 1e9), version
        return self._told


def open_file(path: str) -> BinaryIO:
    """A file to read from. Raises OSError when it can't be, ValueError for what is none."""
    # Without waiting: a pipe of this name would have the agent wait for who writes to it.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError("is no file")
    return file


def _duration(seconds: float) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.0f} days"
    return f"{seconds / 3600:.0f} h" if seconds >= 3 * 3600 else f"{seconds / 60:.0f} min"

"""A file of /proc that is read again and again: it stays open, and a reading is one system call."""

import os
import sys
from pathlib import Path

PROC = Path("/proc")
# The units of its files. Windows has neither them nor this function, but imports this module all the same.
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if sys.platform == "linux" else 4096
TICKS_PER_S = os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 100
_FIRST_SIZE = 8192
_LONGEST_NUMBER = 64  # with the blanks around it


class ProcFile:
    """One file, opened at the first reading. Its contents are made by the kernel at each reading from the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._size = _FIRST_SIZE

    def read(self) -> bytes:
        """The whole contents. Raises OSError."""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        while True:
            data = os.pread(self._fd, self._size, 0)
            if len(data) < self._size:
                return self._complete(data)
            self._size *= 2

    def _complete(self, data: bytes) -> bytes:
        # The kernel may hand out less than was asked for, in whole records: go on until it says that this is the end.
        while True:
            more = os.pread(self._fd, self._size, len(data))
            if not more:
                return data
            data += more

    def close(self) -> None:
        """Close it; the next reading opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def number_of(text: bytes, name: bytes) -> int | None:
    """The whole number behind a name at the beginning of a line, in files that have a name and a number on each."""
    line = name + b" "
    begin = 0 if text.startswith(line) else text.find(b"\n" + line) + 1
    if not begin and not text.startswith(line):
        return None
    begin += len(line)
    value = text[begin : begin + _LONGEST_NUMBER].partition(b"\n")[0].strip()
    return int(value) if value.isdigit() else None

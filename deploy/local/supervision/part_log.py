"""A part's log file: rotated by size, so that it can never fill the disk, with its end kept at hand for a crash."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

MAX_BYTES = 8 * 1024 * 1024
KEPT_FILES = 3  # older ones, beside the current: 32 MiB for each part at most
_TAIL_BYTES = 8 * 1024


class PartLog:
    """Takes a part's output. Entering opens the file; output is written as it comes.

    Args:
        path: the current file; older ones get `.1`, `.2` and so on.
        max_bytes: size at which the file is rotated.
        kept_files: how many older ones stay.
    """

    def __init__(self, *, path: Path, max_bytes: int = MAX_BYTES, kept_files: int = KEPT_FILES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._kept_files = kept_files
        self._file: BinaryIO | None = None
        self._size = 0
        self._tail = b""

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, chunk: bytes) -> None:
        """Append output; rotate first when the file would grow past its size."""
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        if self._size and self._size + len(chunk) > self._max_bytes:
            self._rotate()
        if self._file is not None:
            try:
                self._file.write(chunk)
            except OSError:  # a full disk must not end the part; its last lines are still at hand
                return
            self._size += len(chunk)

    def last_lines(self, count: int = 12) -> list[str]:
        """Return the last lines since the latest `forget`."""
        return self._tail.decode(errors="replace").splitlines()[-count:]

    def forget(self) -> None:
        """Begin the last lines anew, before a restart."""
        self._tail = b""

    def _open(self) -> None:
        self._file = self.path.open("ab", buffering=0)
        self._size = self.path.stat().st_size

    def _rotate(self) -> None:
        if self._file is not None:
            self._file.close()
        for number in range(self._kept_files, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self.path if number == 0 else self.path.with_name(f"{self.path.name}.{number}")

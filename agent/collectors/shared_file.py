"""A file of /proc that several collectors need: it is read and understood once for all of them."""

from collections.abc import Callable
from typing import Generic, TypeVar

from agent.collectors.collector import Moment
from agent.collectors.proc_file import ProcFile

T = TypeVar("T")


class SharedFile(Generic[T]):
    """Reads the file at most once per moment."""

    def __init__(self, *, file: ProcFile, parse: Callable[[bytes], T]) -> None:
        self._file = file
        self._parse = parse
        self._moment: Moment | None = None
        self._reading: T | None = None

    def at(self, moment: Moment) -> T:
        """The reading of this moment. Raises OSError, and what `parse` raises."""
        if self._reading is None or self._moment is not moment:
            self._reading = self._parse(self._file.read())
            self._moment = moment
        return self._reading

    def close(self) -> None:
        """Close the file; whoever shares it opens it again."""
        self._file.close()

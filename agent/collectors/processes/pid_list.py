"""Which processes there are. The collectors that need it share one look at /proc per moment."""

import os
from pathlib import Path

from agent.collectors.collector import Moment
from agent.collectors.proc_file import PROC


class PidList:
    """Looks, at most once per moment."""

    def __init__(self, *, root: Path = PROC) -> None:
        self._root = os.fspath(root)
        self._moment: Moment | None = None
        self._pids: list[str] = []

    def at(self, moment: Moment) -> list[str]:
        """The names of the folders of /proc that stand for processes, at this moment. Raises OSError."""
        if self._moment is not moment:
            self._pids = list(filter(str.isdigit, os.listdir(self._root)))  # noqa: PTH208 - Paths of all are dear
            self._moment = moment
        return self._pids

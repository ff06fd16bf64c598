"""Who is logged in: how many sessions there are."""

import os
from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.sys_file import names_in, read_or_none
from flick.v1 import catalog_pb2 as catalog

_USER_PROCESS = 7  # utmp(5): a record of somebody who is logged in
_LAST_TYPE = 9
_RECORD_BYTES = (384, 400)  # with times of 32 bits, as on x86, and of 64 bits, as on ARM
_PEOPLE = "user"  # sd-login's classes are that, user-early, user-light and others that are no people

Seen = tuple[int, int, int]


class SessionsCollector:
    """Counts the records of utmp, as `who` does; where a system keeps none any more, the sessions of systemd-logind."""

    name = "sessions"

    def __init__(self, *, run: Path = Path("/run")) -> None:
        self._utmp = os.fspath(run / "utmp")
        self._sessions = os.fspath(run / "systemd/sessions")
        self._seen: Seen | None = None
        self._count = 0

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`. Nothing in a container that keeps neither."""
        for path, count in ((self._utmp, _in_utmp), (self._sessions, _in_logind)):
            seen = _state(path)
            if seen is None:
                continue
            if seen != self._seen:  # they change when somebody comes or goes
                self._count = count(path)
                self._seen = seen
            return Measured(core={catalog.METRIC_SESSION_COUNT: self._count})
        return Measured()

    def close(self) -> None:
        """See `Collector`."""


def parse_utmp(data: bytes) -> int:
    """How many are logged in. The records' size is that by which all of them have a type that there is."""
    for size in _RECORD_BYTES:
        types = [int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), size)]
        if len(data) % size == 0 and max(types, default=0) <= _LAST_TYPE:
            return types.count(_USER_PROCESS)
    raise ValueError(f"{len(data)} bytes are no utmp")


def is_person(session: str) -> bool:
    """Whether a file of /run/systemd/sessions tells of a person who is logged in."""
    told = dict(line.split("=", 1) for line in session.splitlines() if "=" in line)
    return told.get("CLASS", "").partition("-")[0] == _PEOPLE and told.get("STATE") != "closing"


def _in_utmp(path: str) -> int:
    return parse_utmp(Path(path).read_bytes())


def _in_logind(folder: str) -> int:
    sessions = (read_or_none(f"{folder}/{name}") for name in names_in(folder) if not name.endswith(".ref"))
    return sum(is_person(session) for session in sessions if session is not None)


def _state(path: str) -> Seen | None:
    """What changes with the contents; None when there is no such file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - without making a Path each time
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

"""Who a listed process is: its name, its user, its command line."""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from agent.collectors.proc_file import PROC
from agent.collectors.processes.table import ProcessStat
from agent.worker import Worker

COMMAND_LENGTH = 256  # flick.v1.Process.command
_MAX_BYTES = 4096  # of a command line the beginning is enough
_COMM_LENGTH = 15  # what the kernel keeps of a program's name
_KNOWN_USERS = 1000
_DESCRIBED_FOR_S = 60.0  # a process may become another user's or another program without getting another name


class Description(NamedTuple):
    """As told at `told_s` (monotonic) when the kernel called it `kernel_name`."""

    told_s: float
    kernel_name: bytes
    name: str
    user: str = ""
    command: str = ""


class ProcessDescriptions:
    """Asks the system, and remembers for a minute what it said of those that are listed.

    A command line lies in the process's own memory and a user's name may lie on the network: both may hang, and are
    asked on a worker. Until it answers, a process has the name that the kernel keeps.
    """

    def __init__(self, *, with_commands: bool, worker: Worker, root: Path = PROC) -> None:
        self._root = os.fspath(root)
        self._with_commands = with_commands
        self._worker = worker
        self._known: Mapping[tuple[int, int], Description] = {}
        self._users: dict[int, str] = {}

    def of(self, listed: Sequence[ProcessStat], now_s: float) -> list[Description]:
        """A description of each of these; any other is forgotten."""
        known = {_key(stat): self._known.get(_key(stat)) or _bare(stat) for stat in listed}
        due = [stat for stat in listed if _is_due(known[_key(stat)], stat, now_s)]
        if due:
            # A late answer is lost, and what is known stays until there is another.
            with suppress(TimeoutError):
                known.update(self._worker.run(lambda: {_key(stat): self._describe(stat, now_s) for stat in due}))
        self._known = known
        return list(known.values())

    def _describe(self, stat: ProcessStat, now_s: float) -> Description:
        name, folder = stat.name.decode(errors="replace"), f"{self._root}/{stat.pid}"
        try:
            user = self._user(os.stat(folder).st_uid)  # noqa: PTH116 - a Path for each of them is dear
            arguments = _read(f"{folder}/cmdline").rstrip(b"\0").split(b"\0") if self._with_commands else []
        except (FileNotFoundError, ProcessLookupError):  # it ended this moment
            return _bare(stat)
        words = [word.decode(errors="replace") for word in arguments]
        program = words[0].rpartition("/")[2] if words else ""
        if len(name) == _COMM_LENGTH and program.startswith(name):
            name = program[:COMMAND_LENGTH]
        return Description(now_s, stat.name, name, user, " ".join(words)[:COMMAND_LENGTH])

    def _user(self, uid: int) -> str:
        name = self._users.get(uid)
        if name is None:
            if len(self._users) >= _KNOWN_USERS:
                self._users.clear()
            name = self._users[uid] = _user_name(uid)
        return name


def _key(stat: ProcessStat) -> tuple[int, int]:
    return stat.pid, stat.start_ticks


def _bare(stat: ProcessStat) -> Description:
    """What is known without asking."""
    return Description(-math.inf, stat.name, stat.name.decode(errors="replace"))


def _is_due(told: Description, stat: ProcessStat, now_s: float) -> bool:
    return told.kernel_name != stat.name or now_s - told.told_s >= _DESCRIBED_FOR_S


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _MAX_BYTES)
    finally:
        os.close(fd)


def _user_name(uid: int) -> str:
    import pwd  # not there on every system

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

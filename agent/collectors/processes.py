"""The busiest processes: the first ten by processor time joined with the first ten by memory."""

import heapq
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.proc_file import PROC
from flick.v1 import telemetry_pb2

MOST_BY_EACH = 10
COMMAND_LENGTH = 256  # flick.v1.Process.command
_MAX_BYTES = 4096  # a stat has 52 numbers at most; of a command line the beginning is enough
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_COMM_LENGTH = 15  # what the kernel keeps of a program's name
_STATES = {"R": "running", "D": "disk-sleep", "T": "stopped", "t": "stopped", "Z": "zombie", "I": "idle"}
_KNOWN_USERS = 1000


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """/proc/PID/stat, as far as it is needed. `start_ticks` with the pid tells a process from a later one."""

    pid: int
    name: str
    state: str
    ticks: int
    threads: int
    start_ticks: int
    rss_bytes: int


class ProcessesCollector:
    """Reads every /proc/PID/stat, and more of those few that are listed."""

    name = "processes"

    def __init__(self, *, with_commands: bool, root: Path = PROC) -> None:
        self._root = os.fspath(root)
        self._with_commands = with_commands
        self._ticks: dict[tuple[int, int], int] = {}
        self._before: Moment | None = None
        self._users: dict[int, str] = {}

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        found = list(self._all())
        ticks = {(stat.pid, stat.start_ticks): stat.ticks for stat in found}
        before, self._before = self._before, moment
        known, self._ticks = self._ticks, ticks
        if before is None or moment.monotonic_s <= before.monotonic_s:
            return Measured()
        passed_ticks = (moment.monotonic_s - before.monotonic_s) * _TICKS_PER_S
        per_s = {stat.pid: max(0, stat.ticks - _ticks_before(stat, known, before)) / passed_ticks for stat in found}
        snapshot = telemetry_pb2.ProcessSnapshot()
        for stat in sorted(_busiest(found, per_s), key=lambda stat: -per_s[stat.pid]):
            self._describe(snapshot.processes.add(), stat, per_s[stat.pid])
        return Measured(processes=snapshot.SerializeToString())

    def close(self) -> None:
        """See `Collector`."""

    def _all(self) -> Iterator[ProcessStat]:
        for pid in filter(str.isdigit, os.listdir(self._root)):  # noqa: PTH208 - a Path for each of them is dear
            try:
                yield parse(_read(f"{self._root}/{pid}/stat"))
            except (FileNotFoundError, ProcessLookupError):  # it ended this moment
                continue

    def _describe(self, target: telemetry_pb2.Process, stat: ProcessStat, per_s: float) -> None:
        target.pid = stat.pid
        target.name = stat.name
        target.state = stat.state
        target.cpu_utilization = per_s
        target.memory_rss = stat.rss_bytes
        target.thread_count = stat.threads
        folder = f"{self._root}/{stat.pid}"
        try:
            target.user = self._user(Path(folder).stat().st_uid)
            arguments = _read(f"{folder}/cmdline").rstrip(b"\0").split(b"\0") if self._with_commands else []
        except (FileNotFoundError, ProcessLookupError):  # it ended this moment
            return
        words = [word.decode(errors="replace") for word in arguments]
        target.command = " ".join(words)[:COMMAND_LENGTH]
        program = words[0].rpartition("/")[2] if words else ""
        if len(stat.name) == _COMM_LENGTH and program.startswith(stat.name):
            target.name = program[:COMMAND_LENGTH]

    def _user(self, uid: int) -> str:
        name = self._users.get(uid)
        if name is None:
            if len(self._users) >= _KNOWN_USERS:
                self._users.clear()
            name = self._users[uid] = _user_name(uid)
        return name


def parse(text: bytes) -> ProcessStat:
    """Read the format of proc_pid_stat(5). The name stands in parentheses and may hold some itself."""
    head, _, tail = text.rpartition(b")")
    pid, _, name = head.partition(b" (")
    fields = tail.split(None, 22)
    return ProcessStat(
        pid=int(pid),
        name=name.decode(errors="replace"),
        state=_STATES.get(fields[0].decode(), "sleeping"),
        ticks=int(fields[11]) + int(fields[12]),
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
    )


def _ticks_before(stat: ProcessStat, known: dict[tuple[int, int], int], before: Moment) -> int:
    ticks = known.get((stat.pid, stat.start_ticks))
    if ticks is not None:
        return ticks
    # One that started since then has used all its time since then; of one that was only hidden nothing is known.
    return 0 if stat.start_ticks >= before.boottime_s * _TICKS_PER_S - 1 else stat.ticks


def _busiest(found: list[ProcessStat], per_s: dict[int, float]) -> list[ProcessStat]:
    working = [stat for stat in found if per_s[stat.pid] > 0]
    by_cpu = heapq.nlargest(MOST_BY_EACH, working, key=lambda stat: per_s[stat.pid])
    by_memory = heapq.nlargest(MOST_BY_EACH, found, key=lambda stat: stat.rss_bytes)
    return list({stat.pid: stat for stat in (*by_cpu, *by_memory)}.values())


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _MAX_BYTES)
    finally:
        os.close(fd)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

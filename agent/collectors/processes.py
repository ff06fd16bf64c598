"""The busiest processes: the first ten by processor time joined with the first ten by memory."""

import heapq
import os
import pwd
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from agent.collectors.collector import Measured, Moment
from agent.collectors.pid_list import PidList
from agent.collectors.proc_file import PROC
from flick.v1 import telemetry_pb2

MOST_BY_EACH = 10
COMMAND_LENGTH = 256  # flick.v1.Process.command
_MAX_BYTES = 4096  # a stat has 52 numbers at most; of a command line the beginning is enough
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_COMM_LENGTH = 15  # what the kernel keeps of a program's name
_STATES = {
    b"R": "running",
    b"D": "disk-sleep",
    b"T": "stopped",
    b"t": "stopped",
    b"Z": "zombie",
    b"I": "idle",
}
_KNOWN_USERS = 1000
_DESCRIBED_FOR_S = 60.0  # a process may become another user's or another program without getting another name


class ProcessStat(NamedTuple):
    """/proc/PID/stat, as far as it is needed. `start_ticks` with the pid tells a process from a later one.

    A tuple and bytes, because one is made of every process at every moment, and few of them are listed.
    """

    pid: int
    name: bytes
    state: bytes
    ticks: int
    threads: int
    start_ticks: int
    rss_bytes: int


class _Description(NamedTuple):
    """What a listed process is, as told at `told_s` (monotonic) when the kernel called it `kernel_name`."""

    told_s: float
    kernel_name: bytes
    name: str
    user: str
    command: str


class ProcessesCollector:
    """Reads every /proc/PID/stat, and more of those few that are listed."""

    name = "processes"

    def __init__(self, *, with_commands: bool, pids: PidList, root: Path = PROC) -> None:
        self._root = os.fspath(root)
        self._pids = pids
        self._with_commands = with_commands
        self._ticks: dict[tuple[int, int], int] = {}
        self._before: Moment | None = None
        self._users: dict[int, str] = {}
        self._described: dict[tuple[int, int], _Description] = {}

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        found = list(self._all(moment))
        ticks = {(stat.pid, stat.start_ticks): stat.ticks for stat in found}
        before, self._before = self._before, moment
        known, self._ticks = self._ticks, ticks
        if before is None or moment.monotonic_s <= before.monotonic_s:
            return Measured()
        passed_ticks = (moment.monotonic_s - before.monotonic_s) * _TICKS_PER_S
        per_s = {stat.pid: max(0, stat.ticks - _ticks_before(stat, known, before)) / passed_ticks for stat in found}
        listed = sorted(_busiest(found, per_s), key=lambda stat: -per_s[stat.pid])
        self._describe(listed, moment.monotonic_s)
        snapshot = telemetry_pb2.ProcessSnapshot(processes=[self._process(stat, per_s[stat.pid]) for stat in listed])
        return Measured(processes=snapshot.SerializeToString())

    def close(self) -> None:
        """See `Collector`."""

    def _all(self, moment: Moment) -> Iterator[ProcessStat]:
        for pid in self._pids.at(moment):
            try:
                yield parse(_read(f"{self._root}/{pid}/stat"))
            except (FileNotFoundError, ProcessLookupError):  # it ended this moment
                continue

    def _process(self, stat: ProcessStat, per_s: float) -> telemetry_pb2.Process:
        described = self._described[stat.pid, stat.start_ticks]
        return telemetry_pb2.Process(
            pid=stat.pid,
            name=described.name,
            command=described.command,
            user=described.user,
            state=_STATES.get(stat.state, "sleeping"),
            cpu_utilization=per_s,
            memory_rss=stat.rss_bytes,
            thread_count=stat.threads,
        )

    def _describe(self, listed: list[ProcessStat], now_s: float) -> None:
        """Have a description of each of these and of no other; what was told lately is not asked again."""
        described = {}
        for stat in listed:
            key = (stat.pid, stat.start_ticks)
            told = self._described.get(key)
            if told is None or told.kernel_name != stat.name or now_s - told.told_s >= _DESCRIBED_FOR_S:
                told = self._ask(stat, now_s)
            described[key] = told
        self._described = described

    def _ask(self, stat: ProcessStat, now_s: float) -> _Description:
        name, folder = stat.name.decode(errors="replace"), f"{self._root}/{stat.pid}"
        try:
            user = self._user(os.stat(folder).st_uid)  # noqa: PTH116 - a Path for each of them is dear
            arguments = _read(f"{folder}/cmdline").rstrip(b"\0").split(b"\0") if self._with_commands else []
        except (FileNotFoundError, ProcessLookupError):  # it ended this moment
            return _Description(now_s, stat.name, name, "", "")
        words = [word.decode(errors="replace") for word in arguments]
        program = words[0].rpartition("/")[2] if words else ""
        if len(name) == _COMM_LENGTH and program.startswith(name):
            name = program[:COMMAND_LENGTH]
        return _Description(now_s, stat.name, name, user, " ".join(words)[:COMMAND_LENGTH])

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
        int(pid),
        name,
        fields[0],
        int(fields[11]) + int(fields[12]),
        int(fields[17]),
        int(fields[19]),
        int(fields[21]) * _PAGE_BYTES,
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
    by_memory = heapq.nlargest(MOST_BY_EACH, found, key=attrgetter("rss_bytes"))
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

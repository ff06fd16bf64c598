"""Processor time of programs that a benchmark runs."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def process_cpu_s(pid: int) -> float:
    """Processor time of all threads of a process, user and system, in seconds.

    That is clock_getcpuclockid(3): /proc/PID/stat has the same in steps of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2)


def family_cpu_s(pid: int) -> float:
    """The same of a process with all its children, those included that have ended and that it waited for."""
    living = sum(map(process_cpu_s, children(pid)))
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = sum(map(int, fields[13:15])) / _TICKS_PER_S  # cutime and cstime of proc(5), counted from behind the name
    return process_cpu_s(pid) + living + ended


def children(pid: int) -> Sequence[int]:
    """The processes that a process has started and that live."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

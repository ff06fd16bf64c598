"""What processes weigh while they are under load: memory, open files and threads, every second; and how that grows."""

import asyncio
import itertools
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psutil

EVERY_S = 1.0
MINUTE_S = 60.0
POINTS_AT_LEAST = 10  # of a recording that is too short for as many minutes
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One process at one moment, in seconds since the recording began."""

    at_s: float
    rss_bytes: int
    fds: int
    threads: int


@dataclass(kw_only=True)
class Vitals:
    """The readings of each process by its name, in the order of time, and the machine's load average at each."""

    readings: dict[str, list[Reading]] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)

    def peak_rss_mib(self, name: str, *, after_s: float = 0.0) -> float:
        """The most memory that a process was seen with since a moment."""
        return max(one.rss_bytes for one in self.readings[name] if one.at_s >= after_s) / _MIB

    def mean_mib(self, name: str, *, around_s: float, width_s: float = 60.0) -> float:
        """The mean of a process's memory in the `width_s` seconds before a moment, or since the first reading."""
        of = self.readings[name]
        near = [one.rss_bytes for one in of if around_s - width_s <= one.at_s < around_s] or [of[0].rss_bytes]
        return sum(near) / len(near) / _MIB

    def slope_mib_per_h(self, name: str, *, after_s: float) -> float:
        """How a process's memory grows, leaving out how it began: Theil and Sen's slope of the medians of minutes.

        So what is held for seconds, for a backlog or an hour that is sealed, is no growth, whenever it comes; what
        stays of it is. At least two readings.
        """
        readings = [one for one in self.readings[name] if one.at_s >= after_s]
        width_s = min(MINUTE_S, (readings[-1].at_s - readings[0].at_s) / POINTS_AT_LEAST)
        minutes = itertools.groupby(readings, key=lambda one: (one.at_s - after_s) // width_s)
        points = [((number + 0.5) * width_s, statistics.median(one.rss_bytes for one in of)) for number, of in minutes]
        return slope(points) * 3600 / _MIB


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes of all lines through two of the points. At least two, in the order of x."""
    pairs = itertools.combinations(points, 2)
    return statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs)


def read_process(pid: int, *, at_s: float) -> Reading | None:
    """A process now; None when it is gone."""
    try:
        process = psutil.Process(pid)
        return Reading(
            at_s=at_s,
            rss_bytes=process.memory_info().rss,
            fds=process.num_fds(),
            threads=process.num_threads(),
        )
    except psutil.Error:
        return None


@asynccontextmanager
async def recorded(pids: Callable[[], Mapping[str, int | None]], *, every_s: float = EVERY_S) -> AsyncIterator[Vitals]:
    """Record while entered. `pids` tells what runs now by name; a process that was started again keeps its name."""
    vitals = Vitals()
    began_s = time.monotonic()

    async def record() -> None:
        while True:
            vitals.loads.append(os.getloadavg()[0])
            for name, pid in pids().items():
                found = read_process(pid, at_s=time.monotonic() - began_s) if pid else None
                if found is not None:
                    vitals.readings.setdefault(name, []).append(found)
            await asyncio.sleep(every_s)

    task = asyncio.create_task(record())
    try:
        yield vitals
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

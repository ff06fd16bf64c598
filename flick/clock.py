"""Time as FLick's parts read it, so that tests can turn the hands."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time. `SystemClock` is the real one; tests pass their own."""

    def time_unix_nano(self) -> int:
        """Wall clock: nanoseconds since the Unix epoch. May jump."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some moment; never goes back, stands still while the machine sleeps."""
        ...

    def boottime_s(self) -> float:
        """Seconds since the system was started; never goes back, goes on while the machine sleeps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def time_unix_nano(self) -> int:
        """See `Clock`."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def boottime_s(self) -> float:
        """See `Clock`."""
        if sys.platform == "linux":
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        if sys.platform == "win32":
            return time.monotonic()
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # which on macOS goes on, unlike what Python calls monotonic

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(seconds)


def utc(clock: Clock) -> datetime:
    """The wall clock's time, in UTC, to the microsecond."""
    return datetime.fromtimestamp(clock.time_unix_nano() / 1e9, tz=UTC)

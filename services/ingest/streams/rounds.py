"""One look around for all streams of a process, so that a stream that is idle needs no task and no timer of its own."""

import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from flick.clock import Clock
from flick.lifecycle import background

Look = Callable[[float], float | None]
"""Told the time now, does what is due, and returns when to look again; None: never. Monotonic seconds."""


class Rounds:
    """Looks at each stream when something may be due on it.

    Args:
        every_s: how late a look may come.
        clock: as everywhere.
    """

    def __init__(self, *, every_s: float, clock: Clock) -> None:
        self._every_s = every_s
        self._clock = clock
        self._due: list[tuple[float, int, Look]] = []
        self._order = itertools.count()  # looks that are due at the same moment can't be compared

    def add(self, look: Look, *, due_s: float) -> None:
        """Look for the first time at `due_s`."""
        heapq.heappush(self._due, (due_s, next(self._order), look))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Rounds"]:
        """Look around while entered."""
        async with background(self._run(), name="rounds"):
            yield self

    def look(self) -> None:
        """Do everything that is due now."""
        now_s = self._clock.monotonic_s()
        while self._due and self._due[0][0] <= now_s:
            _, _, look = heapq.heappop(self._due)
            again_s = look(now_s)
            if again_s is not None:
                self.add(look, due_s=max(again_s, now_s + self._every_s))

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(self._every_s)
            self.look()

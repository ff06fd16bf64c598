"""One look around for all streams of a process, so that a stream that is idle needs no task and no timer of its own."""

import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from flick.clock import Clock
from flick.lifecycle import background

Look = Callable[[float], float | None]
"""Told the time now, does what is due, and returns when to look again; None: never. Monotonic seconds."""


@dataclass(slots=True, order=True)
class _Turn:
    """When to look, and of those that are due at the same moment which first."""

    due_s: float
    order: int
    look: Look | None = field(compare=False)

    def end(self) -> None:
        self.look = None


class Rounds:
    """Looks at each stream when something may be due on it.

    Args:
        every_s: how late a look may come.
        clock: as everywhere.
    """

    def __init__(self, *, every_s: float, clock: Clock) -> None:
        self._every_s = every_s
        self._clock = clock
        self._due: list[_Turn] = []
        self._order = itertools.count()

    def add(self, look: Look, *, due_s: float) -> Callable[[], None]:
        """Look for the first time at `due_s`. Returns what ends it: then nothing of the stream is kept here."""
        turn = _Turn(due_s=due_s, order=next(self._order), look=look)
        heapq.heappush(self._due, turn)
        return turn.end

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Rounds"]:
        """Look around while entered."""
        async with background(self._run(), name="rounds"):
            yield self

    def look(self) -> None:
        """Do everything that is due now."""
        now_s = self._clock.monotonic_s()
        while self._due and self._due[0].due_s <= now_s:
            turn = heapq.heappop(self._due)
            again_s = turn.look(now_s) if turn.look is not None else None
            if again_s is not None:
                turn.due_s, turn.order = max(again_s, now_s + self._every_s), next(self._order)
                heapq.heappush(self._due, turn)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(self._every_s)
            self.look()

"""An answer that is kept for a moment, so that however many ask, it is found out once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from flick.clock import Clock

T = TypeVar("T")


class Kept(Generic[T]):
    """What `find` finds, kept for some seconds. Who asks meanwhile waits for the same answer; a failure is not kept.

    Args:
        find: finds it out.
        for_s: how long it is good.
        clock: tells when that is over.
    """

    def __init__(self, *, find: Callable[[], Awaitable[T]], for_s: float, clock: Clock) -> None:
        self._find = find
        self._for_s = for_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._found: tuple[float, T] | None = None

    async def get(self) -> T:
        """The answer. Raises what `find` raises."""
        async with self._lock:
            now_s = self._clock.monotonic_s()
            if self._found is not None and now_s - self._found[0] < self._for_s:
                return self._found[1]
            found = await self._find()
            self._found = (now_s, found)
            return found

"""A bound on how many costly calls are answered at once, so that memory is bounded too."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from flick.errors import FlickError, Kind

RETRY_AFTER_S = 2.0


class Gate:
    """Lets some calls in, has some wait and refuses the rest.

    Args:
        at_once: how many calls may be in at once.
        waiting: how many more may wait.
        on_refused: told of every call refused.
    """

    def __init__(self, *, at_once: int, waiting: int, on_refused: Callable[[], None]) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self._inside = 0
        self._on_refused = on_refused

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Be one of those let in. Raises RESOURCE_EXHAUSTED when too many wait already."""
        if self._inside >= self._room:
            self._on_refused()
            raise FlickError(
                Kind.RESOURCE_EXHAUSTED,
                "Too many range queries are waiting. Try again in a moment.",
                reason="TOO_MANY_RANGE_QUERIES",
                retry_after_s=RETRY_AFTER_S,
            )
        self._inside += 1
        try:
            async with self._free:
                yield
        finally:
            self._inside -= 1

"""What a viewer is still to be sent: bounded; a slow viewer gets the newest of each server instead of everything."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from services.query.rules.measured import Measured

MAX_WAITING = 256  # with at most 100 servers a viewer, each with pushes, what is left after coalescing always fits


class Update(NamedTuple):
    """A sample of one server; `pushed`: not of its agent, so that its time says nothing of the agent's samples."""

    server_id: str
    measured: Measured
    pushed: bool = False


class Backlog:
    """A viewer's queue.

    Args:
        on_coalesced: told how many updates were given up for newer ones.
        limit: how many updates may wait; more than the servers of one viewer.
    """

    def __init__(self, *, on_coalesced: Callable[[int], None], limit: int = MAX_WAITING) -> None:
        self._on_coalesced = on_coalesced
        self._limit = limit
        self._waiting: deque[Update] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether the process is about to end, so that the viewer must watch elsewhere."""
        return self._closed

    def put(self, update: Update) -> None:
        """Add an update; when the queue is full only the newest of each server stays."""
        if len(self._waiting) >= self._limit:
            self._coalesce()
        self._waiting.append(update)
        self._changed.set()

    def close(self) -> None:
        """Wake the viewer for good."""
        self._closed = True
        self._changed.set()

    async def take(self, *, timeout_s: float) -> Update | None:
        """The oldest update; None when there is none within `timeout_s` seconds or the queue is closed."""
        if not self._waiting and not self._closed:
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
            except TimeoutError:
                return None
        return self._waiting.popleft() if self._waiting and not self._closed else None

    def _coalesce(self) -> None:
        newest: dict[tuple[str, bool], Update] = {}
        for update in self._waiting:
            key = (update.server_id, update.pushed)
            newest.pop(key, None)  # so that the order is that of the newest
            newest[key] = update
        self._on_coalesced(len(self._waiting) - len(newest))
        self._waiting = deque(newest.values())

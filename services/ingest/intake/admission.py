"""Room in memory for frames of all streams: bounded, with a short queue in front."""

import asyncio
from collections import deque

ADMITTED_BYTES = 64 * 1024 * 1024
WAITING_BYTES = 16 * 1024 * 1024


class AdmissionFullError(Exception):
    """There is no room now, and no place to wait for it."""


class Admission:
    """Bytes that frames may hold from their receipt to their commit.

    Args:
        admitted_bytes: how many bytes there is room for.
        waiting_bytes: how many more may wait for room; their streams are not read meanwhile.
    """

    def __init__(self, *, admitted_bytes: int = ADMITTED_BYTES, waiting_bytes: int = WAITING_BYTES) -> None:
        self._limit = admitted_bytes
        self._waiting_limit = waiting_bytes
        self._admitted = 0
        self._waiting = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def admitted_bytes(self) -> int:
        """Bytes that are held now."""
        return self._admitted

    async def acquire(self, size_bytes: int) -> None:
        """Take room, after those who came before. Raises AdmissionFullError when too much waits already."""
        if not self._queue and self._fits(size_bytes, self._limit):
            self._admitted += size_bytes
            return
        if self._waiting + size_bytes > self._waiting_limit:
            raise AdmissionFullError
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((size_bytes, turn))
        self._waiting += size_bytes
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # admitted in the same moment
                self.release(size_bytes)
            else:
                self._queue.remove((size_bytes, turn))
                self._waiting -= size_bytes
                self._let_in()
            raise

    def acquire_spare(self, size_bytes: int) -> None:
        """Take room for what can wait elsewhere: only while more than half is free, and without waiting here.

        So a backlog leaves room for what is measured now, and never keeps its own stream from being read. Raises
        AdmissionFullError.
        """
        if self._queue or not self._fits(size_bytes, self._limit // 2):
            raise AdmissionFullError
        self._admitted += size_bytes

    def release(self, size_bytes: int) -> None:
        """Give room back."""
        self._admitted -= size_bytes
        self._let_in()

    def _fits(self, size_bytes: int, limit: int) -> bool:
        return self._admitted == 0 or self._admitted + size_bytes <= limit

    def _let_in(self) -> None:
        while self._queue and self._fits(self._queue[0][0], self._limit):
            size_bytes, turn = self._queue.popleft()
            self._waiting -= size_bytes
            self._admitted += size_bytes
            turn.set_result(None)

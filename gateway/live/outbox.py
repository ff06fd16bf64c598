"""The frames that wait for one viewer, bounded: where one reads too slowly, older values give way to newer ones."""

import asyncio
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Frame:
    body: bytes
    key: Hashable | None  # frames with one key replace each other; without one it may not be lost


class Outbox:
    """A queue of encoded frames for one reader."""

    def __init__(self, *, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._frames: deque[_Frame] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self.dropped = 0
        """Values left out so far."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def size_bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def put(self, body: bytes, *, key: Hashable | None = None) -> bool:
        """Add a frame. Past a limit only the newest frame of each key stays, then the oldest of these go.

        False when the frames that may not be lost exceed a limit by themselves: the viewer takes nothing at all.
        """
        self._frames.append(_Frame(body, key))
        self._bytes += len(body)
        self._filled.set()
        if self._over():
            self._coalesce()
        while self._over() and self._drop_oldest():
            pass
        return not self._over()

    async def take(self) -> bytes:
        """The oldest frame, once there is one."""
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        return self._pop()

    def drain(self) -> list[bytes]:
        """Everything that waits and may not be lost, oldest first; the rest is forgotten."""
        kept = [frame.body for frame in self._frames if frame.key is None]
        self._frames.clear()
        self._bytes = 0
        return kept

    def forget(self, *, prefix: Hashable) -> None:
        """Drop the waiting frames whose key is a tuple that begins with `prefix`: their subscription has ended."""
        self._keep([frame for frame in self._frames if not (isinstance(frame.key, tuple) and frame.key[0] == prefix)])

    def _over(self) -> bool:
        return len(self._frames) > self._max_messages or (self._bytes > self._max_bytes and len(self._frames) > 1)

    def _coalesce(self) -> None:
        seen: set[Hashable] = set()
        kept: list[_Frame] = []
        for frame in reversed(self._frames):
            if frame.key is not None and frame.key in seen:
                continue
            seen.add(frame.key)
            kept.append(frame)
        self.dropped += len(self._frames) - len(kept)
        self._keep(kept[::-1])

    def _drop_oldest(self) -> bool:
        for index, frame in enumerate(self._frames):
            if frame.key is not None:
                del self._frames[index]
                self._bytes -= len(frame.body)
                self.dropped += 1
                return True
        return False

    def _keep(self, frames: list[_Frame]) -> None:
        self._frames = deque(frames)
        self._bytes = sum(len(frame.body) for frame in frames)

    def _pop(self) -> bytes:
        frame = self._frames.popleft()
        self._bytes -= len(frame.body)
        return frame.body

"""Frames of all streams that wait for their commit: what is measured now never waits behind a backlog."""

import asyncio
from collections import deque

from flick.v1 import ingest_pb2
from services.ingest.intake.lanes import LaneId
from services.ingest.writing.frame import Frame

LANES = (ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL)
"""In the order in which they are written."""


class FrameQueue:
    """A queue for each lane. Frames of one lane stay in their order."""

    def __init__(self) -> None:
        self._frames: dict[LaneId, deque[Frame]] = {lane: deque() for lane in LANES}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._frames.values()))

    def put(self, frame: Frame) -> None:
        """Let a frame wait."""
        self._frames[frame.place.lane].append(frame)
        self._filled.set()

    def take(self, lane: LaneId, *, samples: int) -> list[Frame]:
        """The first frames of a lane, so many that they hold about `samples` samples; at least one if any waits."""
        waiting, taken = self._frames[lane], list[Frame]()
        while waiting and samples > 0:
            frame = waiting.popleft()
            samples -= max(1, len(frame.rows))
            taken.append(frame)
        return taken

    async def filled(self) -> None:
        """Wait until a frame waits."""
        while not len(self):
            self._filled.clear()
            await self._filled.wait()

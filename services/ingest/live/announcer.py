"""Tells viewers through Redis: samples of watched servers as they come in, the newest sample of each after its commit.

It never holds up a stream or a commit: what Redis can't take in time is dropped and counted.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flick.bus.client import Bus
from flick.bus.live import LATEST_KEY, samples_channel
from flick.v1 import telemetry_pb2
from services.ingest.intake.samples import Row
from services.ingest.metrics import LiveMetrics

MAX_WAITING = 4096  # about a second of 4,000 watched servers
BATCH = 512


class Announcer:
    """Sends to Redis from a task of its own."""

    def __init__(self, *, bus: Bus, metrics: LiveMetrics) -> None:
        self._bus = bus
        self._metrics = metrics
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._latest: dict[uuid.UUID, telemetry_pb2.Sample] = {}
        self._changed = asyncio.Event()
        self._closing = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Announcer"]:
        """Send while entered; on leaving, what waits is still tried once."""
        task = asyncio.create_task(self._run(), name="announcer")
        try:
            yield self
        finally:
            self._closing = True
            self._changed.set()
            await task  # every call of the bus has an end, and fails at once while Redis is away

    def publish(self, server_id: str, samples: Sequence[telemetry_pb2.Sample]) -> None:
        """Publish samples of a watched server. They carry the stored layout's id."""
        channel = samples_channel(server_id)
        for sample in samples:
            if len(self._waiting) >= MAX_WAITING:
                self._waiting.popleft()
                self._metrics.dropped.labels("queue_full").inc()
            self._waiting.append((channel, sample.SerializeToString()))
        self._changed.set()

    def committed(self, rows: Sequence[Row]) -> None:
        """Remember the newest committed sample of each server for the latest cache."""
        for row in rows:
            server_id, sample = row.owner.server_id, row.sample
            known = self._latest.get(server_id)
            if known is None or known.time_unix_nano < sample.time_unix_nano:
                self._latest[server_id] = sample
        self._changed.set()

    async def _run(self) -> None:
        while not self._closing:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                await self._send([self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))])
            if self._latest:
                latest, self._latest = self._latest, {}
                await self._bus.keep_newest(
                    LATEST_KEY, {str(server_id): sample.SerializeToString() for server_id, sample in latest.items()}
                )

    async def _send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        if await self._bus.publish(messages):
            self._metrics.published.inc(len(messages))
        else:
            self._metrics.dropped.labels("redis").inc(len(messages))

"""Agents under load: each keeps what is not acked, comes back after every loss, and remembers what it was promised."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from flick.v1 import ingest_pb2
from tests.integration.ingest.agent import ScriptedAgent, batch, sample, scripted_agent
from tests.waiting import until

CREDIT = 8
SAMPLES_PER_BATCH = 5
RECONNECT_S = 0.2


@dataclass(kw_only=True)
class LoadAgent:
    """One agent. `sent` and `acked` hold each sample's value by its time; `refused` counts what was rejected."""

    address: str
    key: str
    server_id: str
    interval_s: float
    rng: random.Random
    sent: dict[int, float] = field(default_factory=dict)
    acked: dict[int, float] = field(default_factory=dict)
    refused: int = 0
    streams: int = 0
    _queue: deque[ingest_pb2.MetricBatch] = field(default_factory=deque)
    _seq: int = 0
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def settled(self) -> bool:
        """Whether everything that was measured is acked."""
        return not self._queue

    async def measure(self) -> None:
        """Make a batch every `interval_s` seconds until cancelled."""
        while True:
            self._seq += 1
            began_ns = time.time_ns() // 1000 * 1000
            values = {began_ns + offset * 1000: self.rng.random() for offset in range(SAMPLES_PER_BATCH)}
            self.sent |= values
            self._queue.append(batch(self._seq, *(sample(at, value) for at, value in values.items())))
            self._grown.set()
            await asyncio.sleep(self.interval_s)

    async def deliver(self) -> None:
        """Send and come back until cancelled."""
        while True:
            try:
                async with scripted_agent(self.address, key=self.key) as agent:
                    await self._stream(agent)
            except (grpc.aio.AioRpcError, AssertionError, TimeoutError, asyncio.InvalidStateError):
                await asyncio.sleep(self.rng.uniform(0, RECONNECT_S))

    async def _stream(self, agent: ScriptedAgent) -> None:
        first = self._queue[0].seq if self._queue else self._seq + 1
        await agent.hello(live=first)
        self.streams += 1
        position = _Position(next_seq=first)
        sending = asyncio.create_task(self._send(agent, position))
        try:
            while True:
                response = await agent.call.read()
                if not isinstance(response, ingest_pb2.StreamTelemetryResponse):
                    return
                await self._hear(agent, response, position)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, agent: ScriptedAgent, position: "_Position") -> None:
        while True:
            first = self._queue[0].seq if self._queue else self._seq + 1
            index = position.next_seq - first
            if index < min(CREDIT, len(self._queue)):
                position.next_seq += 1
                await agent.send(self._queue[index])
            else:
                self._grown.clear()
                await self._grown.wait()

    async def _hear(
        self, agent: ScriptedAgent, response: ingest_pb2.StreamTelemetryResponse, position: "_Position"
    ) -> None:
        match response.WhichOneof("frame"):
            case "ack":
                self.refused += sum(one.count for one in response.ack.rejected)
                while self._queue and self._queue[0].seq <= response.ack.seq:
                    for one in self._queue.popleft().samples:
                        self.acked[one.time_unix_nano] = one.core[0]
            case "retry_after":
                await asyncio.sleep(response.retry_after.delay.ToNanoseconds() / 1e9)
                position.next_seq = min(position.next_seq, response.retry_after.seq)
            case "ping":
                await agent.send(ingest_pb2.Pong(ping_id=response.ping.ping_id))
            case "drain":
                await agent.call.done_writing()
        self._grown.set()


@dataclass
class _Position:
    """What comes next on a stream."""

    next_seq: int


@asynccontextmanager
async def under_load(agents: list[LoadAgent]) -> AsyncIterator[None]:
    """Measure and deliver while entered; on leaving nothing more is measured, and everything is delivered."""
    delivering = [asyncio.create_task(agent.deliver()) for agent in agents]
    measuring = [asyncio.create_task(agent.measure()) for agent in agents]
    try:
        yield
        await _cancel(measuring)
        await until(lambda: all(agent.settled for agent in agents), within_s=60)
    finally:
        await _cancel([*measuring, *delivering])


async def _cancel(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""An agent beside the others that does everything right."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.fuzz.ingest import Ingest
from tests.integration.ingest.agent import ScriptedAgent, batch, now_ns, sample, scripted_agent

EVERY_S = 0.1


class Healthy:
    """Sends a sample, waits for its ack, and so on. A stream that ends unasked, or an ack that does not come, fails.

    Args:
        open_stream: makes a stream; the next one when ingest sends it away, as it does every ten minutes.
    """

    def __init__(self, *, open_stream: Callable[[], AbstractAsyncContextManager[ScriptedAgent]]) -> None:
        self._open_stream = open_stream
        self.acked: list[int] = []
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """This sample is the last one."""
        self._stop.set()

    async def run(self) -> None:
        """Send until stopped."""
        while not self._stop.is_set():
            async with self._open_stream() as agent:
                await self._stream(agent)
                await agent.call.done_writing()
                assert await agent.ending() is None

    async def _stream(self, agent: ScriptedAgent) -> None:
        await agent.hello(live=len(self.acked) + 1)
        while not self._stop.is_set() and not any(one.HasField("drain") for one in agent.heard):
            at = now_ns()
            await agent.send(batch(len(self.acked) + 1, sample(at)))
            rejected = await agent.acked(len(self.acked) + 1)
            assert not rejected
            self.acked.append(at)
            await asyncio.sleep(EVERY_S)


@asynccontextmanager
async def beside(ingest: Ingest) -> AsyncIterator[Healthy]:
    """A healthy agent, streaming while entered; on leaving everything that was acked is stored, once each."""
    enrolled = ingest.enrolled[0]
    healthy = Healthy(open_stream=lambda: scripted_agent(ingest.process.address, key=enrolled.key))
    task = asyncio.create_task(healthy.run())
    try:
        yield healthy
    finally:
        healthy.stop()
        await task
    stored = await ingest.stored_times(enrolled)
    assert set(healthy.acked) <= set(stored)
    assert len(stored) == len(set(stored))

"""An agent beside the others that does everything right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fuzz.ingest import Ingest
from tests.integration.ingest.agent import ScriptedAgent, batch, now_ns, sample, scripted_agent

EVERY_S = 0.1


class Healthy:
    """Sends a sample, waits for its ack, and so on. A stream that ends, or an ack that does not come, fails."""

    def __init__(self) -> None:
        self.acked: list[int] = []
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """This sample is the last one."""
        self._stop.set()

    async def run(self, agent: ScriptedAgent) -> None:
        """Send until stopped."""
        await agent.hello()
        while not self._stop.is_set():
            at = now_ns()
            await agent.send(batch(len(self.acked) + 1, sample(at)))
            rejected = await agent.acked(len(self.acked) + 1)
            assert not rejected
            self.acked.append(at)
            await asyncio.sleep(EVERY_S)


@asynccontextmanager
async def beside(ingest: Ingest) -> AsyncIterator[Healthy]:
    """A healthy agent, streaming while entered; on leaving everything that was acked is stored, once each."""
    healthy, enrolled = Healthy(), ingest.enrolled[0]
    async with scripted_agent(ingest.process.address, key=enrolled.key) as agent:
        task = asyncio.create_task(healthy.run(agent))
        try:
            yield healthy
        finally:
            healthy.stop()
            await task
    stored = await ingest.stored_times(enrolled)
    assert set(healthy.acked) <= set(stored)
    assert len(stored) == len(set(stored))

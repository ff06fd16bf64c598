"""An uplink that streams to a scripted ingest; the test measures in the sampler's place."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from agent.collectors.failure import Failure
from agent.host import this_host
from agent.identity import Identity
from agent.sampler.orders import Orders
from agent.sampler.timeline import Timeline
from agent.spool.frame import Entry
from agent.spool.lanes.memory import MemorySpool
from agent.spool.limits import SpoolLimits
from agent.uplink.uplink import Uplink
from flick.backoff import Backoff
from flick.clock import SystemClock
from flick.v1 import ingest_pb2, telemetry_pb2
from tests.integration.agent.certificates import Issued
from tests.integration.agent.ingest import ScriptedIngest, serving

KEY = "flk_id_secret_crc"
SERIES = ((500, ("0",)), (500, ("1",)))
LIVE, BACKFILL = ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL


class Agent:
    """An uplink without a sampler: the test measures."""

    def __init__(
        self, identity: Identity, *, silent_s: float = 10.0, max_bytes: int = 1_000_000, spread_s: float = 0.0
    ) -> None:
        self.clock = SystemClock()
        self.failing: list[Failure] = []
        self.host = this_host()
        self.orders = Orders()
        self.timeline = Timeline(clock=self.clock, boot_id="boot")
        self.spool = MemorySpool(spool_id=uuid.uuid4(), limits=SpoolLimits(max_bytes=max_bytes, frame_samples=2))
        self.spool.begin(self.timeline.mark)
        self.uplink = Uplink(
            identity=identity,
            spool=self.spool,
            orders=self.orders,
            timeline=self.timeline,
            clock=self.clock,
            backoff=Backoff(rng=random.Random(1), base_s=0.02, factor=1.6, cap_s=0.1),
            host=lambda: self.host,
            version="1.2.3",
            failing=lambda: self.failing,
            silent_s=silent_s,
            spread_s=spread_s,
        )
        self.time_ns = 1_790_000_000_000_000_000
        self.before: list[int] = []

    async def welcomed(self) -> None:
        """Wait for the next Welcome, and until the stream looks for something to send."""
        await asyncio.wait_for(self.orders.changed.wait(), 10)
        self.orders.changed.clear()
        await asyncio.sleep(0)  # its writer, just made, takes its first turn

    def measure(self, count: int = 1) -> list[int]:
        """Put samples into the spool; returns their times."""
        taken = []
        for _ in range(count):
            self.time_ns += 1_000_000_000
            layout_id = self.spool.layout_id(SERIES)
            sample = telemetry_pb2.Sample(core=[0.5], labelled=[0.25, 0.75])
            self.spool.put(Entry(time_ns=self.time_ns, layout_id=layout_id, payload=sample.SerializeToString()))
            taken.append(self.time_ns)
            self.uplink.wake()
        return taken


@asynccontextmanager
async def streaming(
    ingest: ScriptedIngest, identity: Identity, tls: Issued, *, waiting: int = 0, **more: float
) -> AsyncIterator[Agent]:
    """An agent that holds a stream to `ingest`, begun when `waiting` samples had been taken."""
    async with serving(ingest, tls=tls) as address:
        agent = Agent(replace(identity, ingest_address=address), **more)  # type: ignore[arg-type]
        agent.before = agent.measure(waiting)
        task = asyncio.create_task(agent.uplink.run())
        try:
            yield agent
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()


def times(batch: ingest_pb2.MetricBatch) -> list[int]:
    """The times of a batch's samples."""
    return [sample.time_unix_nano for sample in batch.samples]

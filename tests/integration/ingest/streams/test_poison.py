"""A real uplink whose spool holds a frame that ingest never takes: three Fatals, each read, and it is set aside."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

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
from flick.v1 import catalog_pb2, telemetry_pb2
from tests.databases import DatabaseServer
from tests.integration.agent.certificates import Authority
from tests.integration.ingest.process import IngestProcess, ingest_process
from tests.tiny_auth import Enrolled
from tests.waiting import eventually

AGENTS = 100
AT_ONCE = 10
FATALS = 3  # after so many the agent sets a frame aside
BEHIND = 14  # with the poison so many frames as there are credits
SIZE_BYTES = 50_000  # of each: writing them takes longer than ingest takes to refuse the first
_LIMITS = SpoolLimits(max_bytes=10_000_000, frame_samples=2, live_samples=10_000)
_SERIES = ((catalog_pb2.METRIC_CPU_CORE_UTILIZATION, ("poison",)),)


class _PoisonedSpool(MemorySpool):
    """Declares its layouts under a number that no layout may have."""

    def layout(self, layout_id: int) -> telemetry_pb2.Layout:
        layout = super().layout(layout_id)
        layout.layout_id = 0
        return layout


class _Agent:
    """A real uplink over TLS that has as much to write as it may; one of its samples is poison."""

    def __init__(self, identity: Identity) -> None:
        clock = SystemClock()
        orders, timeline = Orders(), Timeline(clock=clock, boot_id="boot")
        self.spool = _PoisonedSpool(spool_id=uuid.uuid4(), limits=_LIMITS)
        self.spool.begin(timeline.mark)
        self.uplink = Uplink(
            identity=identity,
            spool=self.spool,
            orders=orders,
            timeline=timeline,
            clock=clock,
            backoff=Backoff(rng=random.Random(1), base_s=0.02, factor=1.0, cap_s=0.02),
            host=this_host,
            version="1.2.3",
            spread_s=0.0,
        )
        self._time_ns = time.time_ns() - 10**12

    def measure(self, *, layout_id: int = 0, size_bytes: int = 0) -> None:
        self._time_ns += 1_000_000
        values = [0.5] if layout_id else []
        sample = telemetry_pb2.Sample(core=[0.5], labelled=values, processes=bytes(size_bytes))
        self.spool.put(Entry(time_ns=self._time_ns, layout_id=layout_id, payload=sample.SerializeToString()))
        self.uplink.wake()

    def poison(self) -> None:
        self.measure(layout_id=self.spool.layout_id(_SERIES))

    @property
    def refused(self) -> int:
        return self.spool.status().refused_samples


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest_asyncio.fixture(loop_scope="session")
async def process(
    postgres: DatabaseServer, telemetry: str, redis_url: str, authority: Authority, tmp_path: Path
) -> AsyncIterator[IngestProcess]:
    """An ingest with TLS, as agents want it. By itself, so that it goes on while the agents here are busy."""
    issued, certificate, key = authority.issue(), tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_text(issued.certificate_pem)
    key.write_text(issued.key_pem)
    environment = {"FLICK_INGEST_TLS_CERT_FILE": str(certificate), "FLICK_INGEST_TLS_KEY_FILE": str(key)}
    async with ingest_process(
        postgres=postgres, database=telemetry, redis_url=redis_url, log=tmp_path / "log", environment=environment
    ) as running:
        yield running


async def _set_aside(process: IngestProcess, enrolled: Enrolled, authority: Authority) -> None:
    """Have an agent with a poisoned spool set the frame aside."""
    identity = Identity(
        server_id=enrolled.server_id, agent_key=enrolled.key, ingest_address=process.address, ca_pem=authority.pem
    )
    agent = _Agent(identity)
    running = asyncio.create_task(agent.uplink.run())
    try:
        async with asyncio.timeout(60):
            agent.measure()
            while agent.spool.held():  # what is measured before Welcome is backlog, whose pace is slow
                await asyncio.sleep(0.001)
            agent.poison()
            for _ in range(BEHIND):
                agent.measure(size_bytes=SIZE_BYTES)
            while not agent.refused:
                await asyncio.sleep(0.001)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _fatals(process: IngestProcess) -> float:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://{process.metrics}/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "flick_ingest_streams_ended_total" and sample.labels["reason"] == "protocol"
    )


async def test_every_poisoned_frame_takes_three_streams_however_much_its_agent_writes(
    process: IngestProcess, authority: Authority
) -> None:
    servers = [process.auth.enroll() for _ in range(AGENTS)]
    for first in range(0, AGENTS, AT_ONCE):
        some = servers[first : first + AT_ONCE]
        await asyncio.gather(*(_set_aside(process, one, authority) for one in some))
    fatals = await eventually(lambda: _fatals(process), lambda count: count >= FATALS * AGENTS)

    assert fatals == FATALS * AGENTS

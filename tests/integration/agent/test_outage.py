"""A day without ingest: everything arrives exactly once, new samples do not wait, and gaps are where they are told.

Time is compressed: the sampler, the clock of its samples and the backlog's pace go by a clock that the test turns.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.collection import Collection
from agent.collectors.collector import Measured, Moment
from agent.host import this_host
from agent.identity import Identity
from agent.sampler.orders import Orders
from agent.sampler.sampler import Sampler
from agent.sampler.timeline import Timeline
from agent.spool.disk.fallback import FallbackSpool
from agent.spool.limits import SpoolLimits
from agent.uplink.uplink import Uplink
from flick.backoff import Backoff
from flick.clock import SystemClock
from flick.v1 import catalog_pb2, ingest_pb2
from tests.integration.agent.certificates import Issued
from tests.integration.agent.ingest import ScriptedIngest, Visit, serving
from tests.integration.agent.streaming import BACKFILL, LIVE
from tests.unit.agent.clock import HandClock, settle
from tests.waiting import until

S = 1_000_000_000
INTERVAL_S = 5
START_S = 1_790_000_000
HALF_DAY_S = 12 * 3600
DOWN_S = 60  # the agent is restarted in the middle of the outage
STEP_S = 0.5  # one frame of the backlog


class _Steady:
    """Measures always the same."""

    name = "steady"

    def collect(self, moment: Moment) -> Measured:
        return Measured(core={catalog_pb2.METRIC_LOAD_1M: 1.0}, series=((500, ("0",)),), values=[0.5])

    def close(self) -> None:
        return


@dataclass
class Received:
    """What ingest got, in the order of arrival."""

    clock: HandClock
    by_lane: dict[int, list[int]] = field(default_factory=lambda: {LIVE: [], BACKFILL: []})
    gaps: list[ingest_pb2.Gap] = field(default_factory=list)

    async def serve(self, visit: Visit) -> None:
        """Take and ack everything."""
        ahead_ns = self.clock.time_unix_nano() - SystemClock().time_unix_nano()
        await visit.welcome(ahead_s=ahead_ns / S)
        while True:
            frame = await visit.next()
            if frame.HasField("gap"):
                self.gaps.append(frame.gap)
                await visit.ack(frame.gap)
            else:
                self.by_lane[frame.metric_batch.lane] += [s.time_unix_nano for s in frame.metric_batch.samples]
                await visit.ack(frame.metric_batch)

    @property
    def times(self) -> list[int]:
        return sorted([*self.by_lane[LIVE], *self.by_lane[BACKFILL]])

    @property
    def backlog(self) -> int:
        """How much came of what had waited."""
        return len(self.gaps) + len(self.by_lane[BACKFILL])

    async def newest_is(self, time_ns: int) -> None:
        """Wait until this sample came in the live lane."""
        await until(lambda: self.by_lane[LIVE][-1:] == [time_ns])

    async def backlog_is_beyond(self, before: int) -> None:
        """Wait for the backlog's next frame, samples or a gap."""
        await until(lambda: self.backlog > before)


class _Agent:
    """An agent over a spool in a file; `streaming` begins when ingest is back."""

    def __init__(self, *, clock: HandClock, spool: FallbackSpool, identity: Identity) -> None:
        self.spool = spool
        timeline = Timeline(clock=clock, boot_id="boot", mark=spool.mark, last_ns=spool.last_ns)
        spool.begin(timeline.mark)
        orders = Orders(known=spool.settings, keep=spool.keep_settings)
        self.uplink = Uplink(
            identity=identity,
            spool=spool,
            orders=orders,
            timeline=timeline,
            clock=clock,
            backoff=Backoff(rng=random.Random(1), base_s=1.0, factor=1.6, cap_s=120.0),
            host=this_host,
            version="1",
            spread_s=0.0,
        )
        self.sampler = Sampler(
            clock=clock,
            timeline=timeline,
            orders=orders,
            spool=spool,
            open_collection=lambda wanted: Collection(collectors=[_Steady()]),
            on_stored=self.uplink.wake,
            on_live=self.uplink.show,
        )


@asynccontextmanager
async def running(*, clock: HandClock, path: Path, identity: Identity) -> AsyncIterator[_Agent]:
    with FallbackSpool(path=path, limits=SpoolLimits(), clock=clock) as spool:
        agent = _Agent(clock=clock, spool=spool, identity=identity)
        sampling = asyncio.create_task(agent.sampler.run())
        await settle()
        try:
            yield agent
        finally:
            sampling.cancel()
            await asyncio.wait([sampling])


@pytest.mark.timeout(300)  # 17,280 samples are taken and delivered
async def test_after_a_day_without_ingest_everything_arrives_once_and_new_samples_do_not_wait(
    tmp_path: Path, identity: Identity, tls: Issued
) -> None:
    clock, path = HandClock(wall_ns=START_S * S + S // 4), tmp_path / "spool.db"
    received = Received(clock)
    async with running(clock=clock, path=path, identity=identity):
        await clock.advance(HALF_DAY_S)
    await clock.advance(DOWN_S)
    async with (
        serving(ScriptedIngest(received.serve), tls=tls) as address,
        running(clock=clock, path=path, identity=replace(identity, ingest_address=address)) as agent,
    ):
        await clock.advance(HALF_DAY_S - DOWN_S)
        backlog = agent.spool.held()
        streaming = asyncio.create_task(agent.uplink.run())
        passed_s = await _drain(agent, clock, received, backlog)
        streaming.cancel()
        await asyncio.wait([streaming])
        status = agent.spool.status()

    first, last = (START_S + INTERVAL_S) * S, received.times[-1]
    missing = set(range(first, last + 1, INTERVAL_S * S)) - set(received.times)
    told = {
        time
        for gap in received.gaps
        for time in range(first, last, INTERVAL_S * S)
        if gap.start_time.ToNanoseconds() <= time < gap.end_time.ToNanoseconds()
    }

    assert backlog + len(missing) >= 2 * HALF_DAY_S // INTERVAL_S - 1
    assert len(received.times) == len(set(received.times)) == status.taken_samples == status.acked_samples
    assert [gap.reason for gap in received.gaps] == [ingest_pb2.GAP_REASON_AGENT_STOPPED]
    assert missing == told
    assert 0 < len(missing) <= DOWN_S / INTERVAL_S + 1
    assert passed_s < 600, "a day of backlog is gone within ten minutes"


async def _drain(agent: _Agent, clock: HandClock, received: Received, backlog: int) -> float:
    """Let time pass until the backlog is delivered; returns how much. Every new sample arrives before time goes on."""
    began_s, newest_ns = clock.monotonic_s(), agent.spool.last_ns
    await received.backlog_is_beyond(0)
    while len(received.by_lane[BACKFILL]) < backlog:
        before = received.backlog
        await clock.advance(STEP_S)
        agent.uplink.wake()
        if agent.spool.last_ns > newest_ns:
            newest_ns = agent.spool.last_ns
            await received.newest_is(newest_ns)
        await received.backlog_is_beyond(before)
    await until(lambda: agent.spool.held() == 0)
    return clock.monotonic_s() - began_s

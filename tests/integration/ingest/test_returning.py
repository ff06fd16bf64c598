"""Servers come back with an hour that they missed, while others go on and hours are sealed: nothing is lost, nothing is
there twice, and what is measured now does not wait for the backlog."""

import asyncio
import random
import time

import pytest
from prometheus_client import CollectorRegistry

from services.ingest.duties import sealing_duties
from services.ingest.metrics import IngestMetrics
from tests.bench.backfill.agent import BacklogAgent, agents
from tests.bench.backfill.deliveries import Deliveries
from tests.bench.backfill.past import hour_of_contents
from tests.bench.ingest.sealing import LaterClock
from tests.chaos.checking.stored import read_stored
from tests.integration.ingest.house import IngestHouse
from tests.waiting import until

LIVE, RETURNING = 20, 4
BACKLOG = 720  # samples of each, which take six seconds at the agent's pace
INTERVAL_S = 1


class Play:
    """Agents of so many new servers, at work while entered."""

    def __init__(self, house: IngestHouse, *, count: int, backlog: int) -> None:
        self.deliveries = Deliveries()
        self.servers = [house.auth.enroll() for _ in range(count)]
        self.agents = agents(
            address=house.address,
            keys=[one.key for one in self.servers],
            backlog=backlog,
            hours=[hour_of_contents(random.Random(number)) for number in range(2)],
            deliveries=self.deliveries,
            interval_s=INTERVAL_S,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Play":
        self._tasks = [asyncio.create_task(agent.run()) for agent in self.agents]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with pytest.raises(asyncio.CancelledError):
                await task

    async def welcomed(self) -> None:
        """Wait until every agent has a stream."""
        await until(lambda: all(agent.welcomed for agent in self.agents), within_s=30)


async def _seal(house: IngestHouse, *, done: asyncio.Event) -> float:
    """Seal again and again what is there; how many samples that were."""
    registry = CollectorRegistry()
    duties = sealing_duties(metrics=IngestMetrics(registry=registry), after_s=0.0, clock=LaterClock())
    while not done.is_set():
        for duty in duties:
            await duty.work(house.same_role)
        await asyncio.sleep(0.2)
    return registry.get_sample_value("flick_ingest_sealed_samples_total") or 0.0


async def test_live_samples_do_not_wait_for_a_backlog_of_which_every_sample_is_stored_once(fresh: IngestHouse) -> None:
    live, returning = Play(fresh, count=LIVE, backlog=0), Play(fresh, count=RETURNING, backlog=BACKLOG)
    await fresh.knows(fresh.auth.enroll())  # the last of all
    done = asyncio.Event()
    sealing = asyncio.create_task(_seal(fresh, done=done))
    try:
        async with live:
            await live.welcomed()
            start_ns = time.time_ns()
            async with returning:
                await until(lambda: returning.deliveries.backlog_acked >= RETURNING * BACKLOG, within_s=120)
                end_ns = time.time_ns()
                both = [live.deliveries, returning.deliveries]
                await until(lambda: all(one.complete(until_ns=end_ns) for one in both), within_s=60)
    finally:
        done.set()
        sealed = await sealing
    took_s = (end_ns - start_ns) / 1e9
    lags_s = [one.lag_s for play in (live, returning) for one in play.deliveries.within(start_ns, end_ns)]

    assert sealed > 0
    assert len(lags_s) > LIVE
    assert max(lags_s) < took_s / 2
    for play in (live, returning):
        for server, agent in zip(play.servers, play.agents, strict=True):
            await _check(fresh, server.server_id, agent)


async def _check(house: IngestHouse, server_id: str, agent: BacklogAgent) -> None:
    """All that is acked is stored once, the whole backlog among it, and nothing that was never measured."""
    stored, counts = await read_stored(house.database, server_id), agent.spool.counts

    assert stored.duplicated == 0
    assert set(agent.past.times_us()) <= stored.checksums.keys()
    assert counts.acked <= len(stored.checksums) <= counts.taken
    assert (counts.dropped, counts.refused, counts.corrupt) == (0, 0, 0)

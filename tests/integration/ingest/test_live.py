"""What viewers get through Redis: live mode on demand, samples on receipt, the newest sample after its commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest_asyncio

from flick.bus import live
from flick.v1 import catalog_pb2, ingest_pb2, telemetry_pb2
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import BACKFILL, SECOND_NS, ScriptedAgent, batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse, ingest_house
from tests.tiny_auth import Enrolled
from tests.waiting import eventually

CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION


async def _watch(ingest: IngestHouse, enrolled: Enrolled, *, expire_s: float = live.WATCH_EXPIRES_S) -> None:
    """Mark a server watched, as query does."""
    await ingest.bus.put([live.watched_key(enrolled.server_id)], b"1", expire_s=expire_s)
    await ingest.bus.publish([(live.WATCHED_CHANNEL, live.encode_server_ids([enrolled.server_id]))])


@asynccontextmanager
async def _viewer(ingest: IngestHouse, enrolled: Enrolled) -> AsyncIterator["asyncio.Queue[telemetry_pb2.Sample]"]:
    """What is published of a server."""
    published: asyncio.Queue[telemetry_pb2.Sample] = asyncio.Queue()

    def receive(_channel: str, payload: bytes) -> None:
        published.put_nowait(telemetry_pb2.Sample.FromString(payload))

    async with ingest.bus.subscription(receive) as subscription:
        subscription.add(live.samples_channel(enrolled.server_id))

        async def subscribed() -> bool:
            return subscription.live

        assert await eventually(subscribed, bool, within_s=5, every_s=0.01)
        yield published


async def _watched(agent: ScriptedAgent) -> ingest_pb2.LiveMode:
    mode: ingest_pb2.LiveMode = await agent.expect(ingest_pb2.LiveMode)
    return mode


async def _latest(ingest: IngestHouse, enrolled: Enrolled) -> telemetry_pb2.Sample | None:
    values = await ingest.bus.get_fields(live.LATEST_KEY, [enrolled.server_id])
    return telemetry_pb2.Sample.FromString(values[0]) if values and values[0] else None


async def test_watching_a_server_turns_its_agents_live_mode_on(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        welcome = await agent.hello()
        await _watch(ingest, enrolled)
        mode = await _watched(agent)

    assert (welcome.live_mode.enabled, mode.enabled, mode.interval.ToSeconds()) == (False, True, 1)


async def test_a_stream_that_opens_later_is_in_live_mode_at_once(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as first:
        await first.hello()
        await _watch(ingest, enrolled)
        await _watched(first)
    async with ingest.agent(enrolled) as second:
        welcome = await second.hello()

    assert welcome.live_mode.enabled


async def test_an_ingest_that_missed_the_news_asks_redis(
    postgres: DatabaseServer, telemetry: str, redis_url: str
) -> None:
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url) as late:
        enrolled = await late.enroll()
        await late.bus.put([live.watched_key(enrolled.server_id)], b"1", expire_s=live.WATCH_EXPIRES_S)
        async with late.agent(enrolled) as agent:
            await agent.hello()
            mode = await _watched(agent)

    assert mode.enabled


async def test_live_mode_ends_when_nobody_watches_any_more(
    postgres: DatabaseServer, telemetry: str, redis_url: str
) -> None:
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url) as ingest:
        enrolled = await ingest.enroll()
        await ingest.bus.put([live.watched_key(enrolled.server_id)], b"1", expire_s=3)
        async with ingest.agent(enrolled) as agent:
            await agent.hello()
            modes = [await _watched(agent), await _watched(agent)]

    assert [mode.enabled for mode in modes] == [True, False]


async def test_samples_of_a_watched_server_are_published_with_the_stored_layout(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    layout = telemetry_pb2.Layout(layout_id=900, series=[telemetry_pb2.Series(metric=CORE, label_values=["0"])])
    at = now_ns()
    process = telemetry_pb2.Process(pid=1)
    async with ingest.agent(enrolled) as agent, _viewer(ingest, enrolled) as published:
        await agent.hello()
        await agent.send(batch(1, sample(at, 0.1)))
        await agent.acked(1)
        await _watch(ingest, enrolled)
        await _watched(agent)
        measured = sample(at + SECOND_NS, 0.2, layout_id=900, labelled=[0.5], processes=[process])
        await agent.send(batch(2, measured, layouts=[layout]))
        await agent.acked(2)
        seen = await asyncio.wait_for(published.get(), timeout=5)
    stored = (await ingest.stored(enrolled))[-1]

    assert (seen.time_unix_nano, list(seen.core), list(seen.labelled)) == (at + SECOND_NS, [0.2], [0.5])
    assert (seen.layout_id, seen.processes) == (stored["layout_id"], b"")


async def test_samples_for_the_eyes_only_are_published_and_neither_stored_nor_acked(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    layout = telemetry_pb2.Layout(layout_id=1, series=[telemetry_pb2.Series(metric=CORE, label_values=["0"])])
    at = now_ns()
    async with fresh.agent(enrolled) as agent, _viewer(fresh, enrolled) as published:
        await agent.hello()
        await agent.send(ingest_pb2.LiveBatch(samples=[sample(at - 1000)], layouts=[layout]))
        await _watch(fresh, enrolled)
        await _watched(agent)
        await agent.send(ingest_pb2.LiveBatch(samples=[sample(at, layout_id=1, labelled=[0.5])]))
        seen = await asyncio.wait_for(published.get(), timeout=5)
        await agent.send(batch(1, sample(at + 1000)))
        await agent.acked(1)

    assert (seen.time_unix_nano, list(seen.labelled)) == (at, [0.5])
    assert await fresh.times(enrolled) == [at + 1000]
    assert fresh.count("live_dropped_total", reason="not_watched") == 1


async def test_a_backlog_is_not_shown_as_live(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    at = now_ns()
    async with ingest.agent(enrolled) as agent, _viewer(ingest, enrolled) as published:
        await agent.hello()
        await _watch(ingest, enrolled)
        await _watched(agent)
        await agent.send(batch(1, sample(at - 3600 * SECOND_NS), lane=BACKFILL))
        await agent.acked(1, lane=BACKFILL)
        await agent.send(batch(1, sample(at)))
        seen = await asyncio.wait_for(published.get(), timeout=5)

    assert seen.time_unix_nano == at


async def test_the_latest_cache_keeps_the_newest_whatever_comes_after(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at, 0.1), sample(at + 1000, 0.2)))
        await agent.acked(1)
        newest = await eventually(lambda: _latest(ingest, enrolled), lambda one: one is not None, every_s=0.01)
        await agent.send(batch(1, sample(at - 3600 * SECOND_NS, 0.9), lane=BACKFILL))
        await agent.acked(1, lane=BACKFILL)
        await agent.send(batch(2, sample(at + 2000, 0.3)))
        await agent.acked(2)
        final = await eventually(
            lambda: _latest(ingest, enrolled),
            lambda one: one is not None and one.time_unix_nano == at + 2000,
            every_s=0.01,
        )

    assert newest is not None
    assert final is not None
    assert (newest.time_unix_nano, final.time_unix_nano) == (at + 1000, at + 2000)


@pytest_asyncio.fixture(loop_scope="session")
async def without_redis(postgres: DatabaseServer, telemetry: str) -> AsyncIterator[IngestHouse]:
    async with ingest_house(postgres=postgres, database=telemetry, redis_url="redis://127.0.0.1:1/0") as house:
        yield house


async def test_without_redis_samples_are_stored_and_acked_all_the_same(without_redis: IngestHouse) -> None:
    enrolled = await without_redis.enroll()
    at = now_ns()
    async with without_redis.agent(enrolled) as agent:
        await agent.hello()
        for seq in range(1, 6):
            await agent.send(batch(seq, sample(at + seq)))
            await agent.acked(seq, within_s=2)

    assert len(await without_redis.stored(enrolled)) >= 1

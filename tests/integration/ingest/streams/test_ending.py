"""How streams end: sent away, given up, left."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from flick.errors import Kind
from flick.v1 import ingest_pb2
from services.ingest.streams.times import StreamTimes
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import BACKFILL, LIVE, batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse, ingest_house
from tests.waiting import eventually, until


async def test_stopping_drains_every_stream_and_acks_what_came(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        stopping = asyncio.create_task(fresh.serving.aclose())
        drain = await agent.expect(ingest_pb2.Drain)
        await agent.send(batch(1, sample(now_ns())))
        await agent.call.done_writing()
        await agent.acked(1)
        error = await agent.ending()
        await asyncio.wait_for(stopping, timeout=10)

    assert error is None
    assert drain.deadline.ToNanoseconds() == 500_000_000
    assert 0 <= drain.reconnect_after.ToNanoseconds() <= 10**9
    assert len(await fresh.stored(enrolled)) == 1


async def test_stopping_does_not_wait_for_an_agent_that_stays(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        stopping = asyncio.create_task(fresh.serving.aclose())
        error = await agent.ending(within_s=8)
        await asyncio.wait_for(stopping, timeout=10)

    assert error is None


async def test_who_connects_while_it_stops_is_sent_on_and_who_comes_again_waits_until_it_is_gone(
    postgres: DatabaseServer, telemetry: str, redis_url: str
) -> None:
    times = StreamTimes(drain_s=0.5, quiet_s=2.0, linger_s=20.0, reconnect_within_s=1.0)
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, times=times) as house:
        enrolled, other = await house.enroll(), await house.enroll()
        async with house.agent(enrolled) as agent:
            await agent.hello()
            stopping = asyncio.create_task(house.serving.aclose())
            await agent.expect(ingest_pb2.Drain)
        waits_s, errors = [], []
        for one in (enrolled, other, other):
            async with house.agent(one) as late:
                await late.send(ingest_pb2.Hello(agent_version="0.0.0", lanes=[]))
                waits_s.append((await late.expect(ingest_pb2.Drain)).reconnect_after.ToNanoseconds() / 1e9)
                errors.append(await late.ending())
        await stopping
    again, first, first_again = waits_s

    assert errors == [None, None, None]
    assert first <= times.reconnect_within_s < min(again, first_again)


@pytest_asyncio.fixture(loop_scope="session")
async def hasty(postgres: DatabaseServer, telemetry: str, redis_url: str) -> AsyncIterator[IngestHouse]:
    """An ingest whose streams live for half a second, and end after a second of silence."""
    times = StreamTimes(
        look_every_s=0.02, lifetime_s=0.5, drain_s=0.3, settle_s=0.3, ping_every_s=0.1, silent_after_s=1.0
    )
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, times=times) as house:
        yield house


async def test_a_stream_is_sent_away_at_the_end_of_its_life(hasty: IngestHouse) -> None:
    enrolled = await hasty.enroll()
    async with hasty.agent(enrolled) as agent:
        await agent.hello()
        await agent.expect(ingest_pb2.Drain)
        await agent.call.done_writing()
        error = await agent.ending()

    assert error is None


async def test_a_silent_stream_is_given_up(postgres: DatabaseServer, telemetry: str, redis_url: str) -> None:
    times = StreamTimes(look_every_s=0.02, ping_every_s=0.1, silent_after_s=0.4)
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, times=times) as house:
        enrolled = await house.enroll()
        async with house.agent(enrolled) as agent:
            await agent.hello()
            error = await agent.ending(within_s=5)

    assert error is not None
    assert (error.kind, agent.last("ping").ping_id >= 2) == (Kind.UNAVAILABLE, True)


async def test_a_stream_that_answers_pings_stays(postgres: DatabaseServer, telemetry: str, redis_url: str) -> None:
    times = StreamTimes(look_every_s=0.02, ping_every_s=0.1, silent_after_s=0.4)
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, times=times) as house:
        enrolled = await house.enroll()
        async with house.agent(enrolled) as agent:
            await agent.hello()
            for number in range(1, 11):
                ping = await agent.expect(ingest_pb2.Ping)
                assert ping.ping_id == number
                await agent.send(ingest_pb2.Pong(ping_id=ping.ping_id))
            await agent.send(batch(1, sample(now_ns())))
            await agent.acked(1)


async def test_a_client_that_goes_away_leaves_nothing_behind(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(now_ns()), lane=BACKFILL))
        await agent.send(batch(1, sample(now_ns() + 1000), lane=LIVE))
    await fresh.settled()

    async def stored() -> int:
        return len(await fresh.stored(enrolled))

    assert await eventually(stored, lambda count: count == 2, within_s=5, every_s=0.05) == 2
    await until(lambda: fresh.count("admitted_bytes") == 0)

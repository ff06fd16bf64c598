"""One stream per server: the newer one wins, on whatever process it opens."""

from collections.abc import AsyncIterator

import pytest_asyncio

from flick.errors import Kind
from flick.v1 import ingest_pb2
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse, ingest_house
from tests.tiny_auth import Enrolled, make_auth
from tests.waiting import eventually


async def test_a_second_stream_of_the_same_agent_takes_over(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as first, ingest.agent(enrolled) as second:
        await first.hello(spool_id="one")
        await second.hello(spool_id="one")
        error = await first.ending()
        await second.send(batch(1, sample(now_ns())))
        await second.acked(1)

    assert error is None


async def test_another_agent_with_the_same_servers_key_takes_over_and_the_first_is_told(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as first, ingest.agent(enrolled) as second:
        await first.hello(spool_id="one")
        await second.hello(spool_id="two")
        error = await first.ending()

    assert error is not None
    assert (error.kind, error.reason) == (Kind.ABORTED, "SUPERSEDED")
    assert first.last("fatal").code == ingest_pb2.FATAL_CODE_SUPERSEDED


@pytest_asyncio.fixture(loop_scope="session")
async def neighbours(
    postgres: DatabaseServer, telemetry: str, redis_url: str
) -> AsyncIterator[tuple[IngestHouse, IngestHouse]]:
    """Two processes of ingest, as it were: they share the database, Redis and auth, and nothing else."""
    auth = make_auth()
    async with (
        ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, auth=auth) as one,
        ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, auth=auth) as other,
    ):
        yield one, other


async def _claimed(ingest: IngestHouse, enrolled: Enrolled, spool_id: str) -> None:
    async def holder() -> str:
        return str(
            await ingest.database.fetchval(
                "select spool_id from telemetry.streams where server_id = $1", enrolled.server_id
            )
        )

    assert await eventually(holder, lambda found: found == spool_id, within_s=30, every_s=0.02) == spool_id


async def _left(ingest: IngestHouse, enrolled: Enrolled) -> None:
    """Wait until the ledger knows that no stream of the server is open."""

    async def ended() -> bool:
        query = "select ended_at is not null from telemetry.streams where server_id = $1"
        return bool(await ingest.database.fetchval(query, enrolled.server_id))

    assert await eventually(ended, bool, within_s=30, every_s=0.02)


async def test_another_agent_on_another_process_takes_over_and_the_first_is_told(
    neighbours: tuple[IngestHouse, IngestHouse],
) -> None:
    one, other = neighbours
    enrolled = await one.enroll()
    await other.knows(enrolled)
    await _left(one, enrolled)
    async with one.agent(enrolled) as first, other.agent(enrolled) as second:
        await first.hello(spool_id="one")
        await _claimed(one, enrolled, "one")
        await second.hello(spool_id="two")
        error = await first.ending(within_s=30)
        await second.send(batch(1, sample(now_ns())))
        await second.acked(1)
    row = await one.database.fetchrow(
        "select spool_id, former_spool_id from telemetry.streams where server_id = $1", enrolled.server_id
    )

    assert error is not None
    assert (error.kind, error.reason) == (Kind.ABORTED, "SUPERSEDED")
    assert first.last("fatal").code == ingest_pb2.FATAL_CODE_SUPERSEDED
    assert row is not None
    assert (row["spool_id"], row["former_spool_id"]) == ("two", "one")


async def test_the_same_agent_on_another_process_leaves_its_former_stream_quietly(
    neighbours: tuple[IngestHouse, IngestHouse],
) -> None:
    one, other = neighbours
    enrolled = await one.enroll()
    await other.knows(enrolled)
    await _left(one, enrolled)
    async with one.agent(enrolled) as first, other.agent(enrolled) as second:
        await first.hello(spool_id="same")
        await _claimed(one, enrolled, "same")
        await second.hello(spool_id="same")
        error = await first.ending(within_s=30)

    assert error is None
    assert not any(frame.HasField("fatal") for frame in first.heard)
    assert one.count("streams_ended_total", reason="moved") == 1


async def test_a_stream_that_comes_back_to_its_former_process_stays(
    neighbours: tuple[IngestHouse, IngestHouse],
) -> None:
    one, other = neighbours
    enrolled, another = await one.enroll(), await one.enroll()
    for server in (enrolled, another):
        await other.knows(server)
        await _left(one, server)
    for ingest, spool_id in ((one, "a"), (other, "b"), (one, "c"), (other, "d")):
        async with ingest.agent(enrolled) as agent:
            await agent.hello(spool_id=spool_id)
            await _claimed(ingest, enrolled, spool_id)
    async with one.agent(enrolled) as agent:
        await agent.hello(spool_id="e")
        await _claimed(one, enrolled, "e")
        for spool_id in ("f", "g"):  # when these are noticed, the claims of others have been looked at
            async with one.agent(another) as pushed, other.agent(another) as pushing:
                await pushed.hello(spool_id=spool_id)
                await _claimed(one, another, spool_id)
                await pushing.hello(spool_id=spool_id + spool_id)
                await pushed.ending(within_s=30)
        await agent.send(batch(1, sample(now_ns())))
        await agent.acked(1)


async def test_a_database_that_is_away_delays_no_welcome_and_the_stream_is_claimed_later(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        async with fresh.database.transaction():
            await fresh.database.execute("lock table telemetry.streams in access exclusive mode")
            await agent.hello(spool_id="late")
            await fresh.waits_for_a_lock()
            await fresh.end_connections()
        await _claimed(fresh, enrolled, "late")


async def test_what_an_agent_says_of_its_spool_stands_in_the_ledger(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        await agent.hello(spool_id="told")
        await _claimed(fresh, enrolled, "told")
        await agent.send(ingest_pb2.Pong(spool=ingest_pb2.SpoolStatus(held_samples=17)))

        async def held() -> int:
            packed = await fresh.database.fetchval(
                "select spool from telemetry.streams where server_id = $1", enrolled.server_id
            )
            return ingest_pb2.SpoolStatus.FromString(packed or b"").held_samples

        assert await eventually(held, lambda count: count == 17, within_s=30, every_s=0.05) == 17

"""One stream per server: the newer one wins, on whatever process it opens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest_asyncio

from flick.errors import Kind
from flick.v1 import ingest_pb2
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import ScriptedAgent, batch, now_ns, sample
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


@dataclass(frozen=True)
class Neighbours:
    """Two processes of ingest, as it were: they share the database, Redis and auth, and nothing else."""

    one: IngestHouse
    other: IngestHouse

    async def enroll(self) -> Enrolled:
        """A new server, once both know its key and the ledger that no stream of it is open."""
        enrolled = await self.one.enroll()
        await self.other.knows(enrolled)

        async def ended() -> bool:
            query = "select ended_at is not null from telemetry.streams where server_id = $1"
            return bool(await self.one.database.fetchval(query, enrolled.server_id))

        assert await eventually(ended, bool, within_s=30, every_s=0.02)
        return enrolled


@pytest_asyncio.fixture(loop_scope="session")
async def neighbours(postgres: DatabaseServer, telemetry: str, redis_url: str) -> AsyncIterator[Neighbours]:
    auth = make_auth()
    async with (
        ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, auth=auth) as one,
        ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, auth=auth) as other,
    ):
        yield Neighbours(one, other)


@asynccontextmanager
async def _claimed(ingest: IngestHouse, enrolled: Enrolled, spool_id: str) -> AsyncIterator[ScriptedAgent]:
    """A stream of an agent that has said Hello, and that the ledger knows to be the server's newest."""
    async with ingest.agent(enrolled) as agent:
        await agent.hello(spool_id=spool_id)
        await _holds(ingest, enrolled, spool_id)
        yield agent


async def _holds(ingest: IngestHouse, enrolled: Enrolled, spool_id: str) -> None:
    async def holder() -> str:
        return str(
            await ingest.database.fetchval(
                "select spool_id from telemetry.streams where server_id = $1", enrolled.server_id
            )
        )

    assert await eventually(holder, lambda found: found == spool_id, within_s=30, every_s=0.02) == spool_id


async def test_another_agent_on_another_process_takes_over_and_the_first_is_told(neighbours: Neighbours) -> None:
    enrolled = await neighbours.enroll()
    async with _claimed(neighbours.one, enrolled, "one") as first, neighbours.other.agent(enrolled) as second:
        await second.hello(spool_id="two")
        error = await first.ending(within_s=30)
        await second.send(batch(1, sample(now_ns())))
        await second.acked(1)
    row = await neighbours.one.database.fetchrow(
        "select spool_id, former_spool_id from telemetry.streams where server_id = $1", enrolled.server_id
    )

    assert error is not None
    assert (error.kind, error.reason) == (Kind.ABORTED, "SUPERSEDED")
    assert first.last("fatal").code == ingest_pb2.FATAL_CODE_SUPERSEDED
    assert row is not None
    assert (row["spool_id"], row["former_spool_id"]) == ("two", "one")


async def test_the_same_agent_on_another_process_leaves_its_former_stream_quietly(neighbours: Neighbours) -> None:
    enrolled = await neighbours.enroll()
    async with _claimed(neighbours.one, enrolled, "same") as first, neighbours.other.agent(enrolled) as second:
        await second.hello(spool_id="same")
        error = await first.ending(within_s=30)

    assert error is None
    assert not any(frame.HasField("fatal") for frame in first.heard)
    assert neighbours.one.count("streams_ended_total", reason="moved") == 1


async def test_a_stream_that_comes_back_to_its_former_process_stays(neighbours: Neighbours) -> None:
    one, other = neighbours.one, neighbours.other
    enrolled, another = await neighbours.enroll(), await neighbours.enroll()
    for ingest, spool_id in ((one, "a"), (other, "b"), (one, "c"), (other, "d")):
        async with _claimed(ingest, enrolled, spool_id):
            pass
    async with _claimed(one, enrolled, "e") as agent:
        for spool_id in ("f", "g"):  # when these are noticed, the claims of others have been looked at
            async with _claimed(one, another, spool_id) as pushed, other.agent(another) as pushing:
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
        await _holds(fresh, enrolled, "late")


async def test_what_an_agent_says_of_its_spool_stands_in_the_ledger(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with _claimed(fresh, enrolled, "told") as agent:
        await agent.send(ingest_pb2.Pong(spool=ingest_pb2.SpoolStatus(held_samples=17)))

        async def held() -> int:
            packed = await fresh.database.fetchval(
                "select spool from telemetry.streams where server_id = $1", enrolled.server_id
            )
            return ingest_pb2.SpoolStatus.FromString(packed or b"").held_samples

        assert await eventually(held, lambda count: count == 17, within_s=30, every_s=0.05) == 17

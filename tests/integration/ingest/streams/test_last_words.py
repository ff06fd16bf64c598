"""Why its stream ends reaches an agent that is still writing; in time every stream ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import grpc
import pytest
import pytest_asyncio

from flick.errors import FlickError
from flick.v1 import ingest_pb2
from services.ingest.streams.times import StreamTimes
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import ScriptedAgent, batch, now_ns, sample
from tests.integration.ingest.house import QUICK, IngestHouse, ingest_house

TRIES = 300
AT_ONCE = 10  # enough to have both processor cores busy
PATIENT_S = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def patient(postgres: DatabaseServer, shared_telemetry: str, redis_url: str) -> AsyncIterator[IngestHouse]:
    """An ingest that hears agents out for longer than any of these may take to read: a busy machine loses no word."""
    times = StreamTimes(look_every_s=QUICK.look_every_s, claims_every_s=QUICK.claims_every_s, hear_out_s=PATIENT_S)
    async with ingest_house(postgres=postgres, database=shared_telemetry, redis_url=redis_url, times=times) as house:
        yield house


def _told(agent: ScriptedAgent, error: FlickError | None) -> tuple[str, str]:
    """What an agent was told: by Fatal, and by the status."""
    codes = [ingest_pb2.FatalCode.Name(one.fatal.code) for one in agent.heard if one.HasField("fatal")]
    return ",".join(codes).replace("FATAL_CODE_", ""), error.reason if error else ""


async def _break_the_protocol(ingest: IngestHouse) -> tuple[str, str]:
    async with ingest.agent(await ingest.enroll()) as agent:
        await agent.hello()
        chat = asyncio.create_task(agent.chat(batch(99, sample(now_ns()))))
        error = await agent.ending()
        await chat
    return _told(agent, error)


async def _be_superseded(ingest: IngestHouse) -> tuple[str, str]:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent, ingest.agent(enrolled) as other:
        await agent.hello()
        chat = asyncio.create_task(agent.chat())
        await other.hello(spool_id="another")
        error = await agent.ending()
        await chat
    return _told(agent, error)


async def _be_revoked(ingest: IngestHouse) -> tuple[str, str]:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        chat = asyncio.create_task(agent.chat())
        ingest.auth.revoke(enrolled)
        error = await agent.ending()
        await chat
    return _told(agent, error)


async def _say_a_wrong_hello(ingest: IngestHouse) -> tuple[str, str]:
    async with ingest.agent(await ingest.enroll()) as agent:
        await agent.send(ingest_pb2.Hello(lanes=[ingest_pb2.LanePosition(lane=ingest_pb2.LANE_LIVE, seq=0)]))
        chat = asyncio.create_task(agent.chat())
        error = await agent.ending()
        await chat
    return _told(agent, error)


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (_break_the_protocol, "PROTOCOL"),
        (_say_a_wrong_hello, "PROTOCOL"),
        (_be_superseded, "SUPERSEDED"),
        (_be_revoked, "REVOKED"),
    ],
    ids=["protocol", "hello", "superseded", "revoked"],
)
async def test_no_fatal_and_no_status_is_lost_on_an_agent_that_writes_all_the_time(
    patient: IngestHouse, fail: Callable[[IngestHouse], Awaitable[tuple[str, str]]], reason: str
) -> None:
    told: Counter[tuple[str, str]] = Counter()
    for _ in range(TRIES // AT_ONCE):
        told.update(await asyncio.gather(*(fail(patient) for _ in range(AT_ONCE))))

    assert told == {(reason, reason): TRIES}


@pytest.mark.parametrize("chatty", [True, False], ids=["writes on", "is silent"])
async def test_an_agent_that_stays_after_a_fatal_is_left(ingest: IngestHouse, chatty: bool) -> None:
    ended = ingest.count("streams_ended_total", reason="protocol")
    async with ingest.agent(await ingest.enroll()) as agent:
        await agent.hello()
        await agent.send(batch(99, sample(now_ns())))
        writing = asyncio.create_task(_write_on(agent) if chatty else asyncio.sleep(0))
        error = await agent.ending(leave=False)
        await writing

    assert error is not None
    assert ingest.count("streams_ended_total", reason="protocol") == ended + 1


async def _write_on(agent: ScriptedAgent) -> None:
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        while True:
            await agent.send(ingest_pb2.Pong())

"""How a stream begins: who is let in, and what Hello and Welcome say."""

import uuid

import pytest
from google.protobuf.message import Message

from flick.errors import Kind
from flick.v1 import ingest_pb2
from tests.integration.ingest.agent import LIVE, batch, now_ns, scripted_agent
from tests.integration.ingest.house import IngestHouse


async def test_welcome_tells_the_server_its_credits_and_settings(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll(retention_days=12)
    async with ingest.agent(enrolled) as agent:
        welcome = await agent.hello()

    assert (welcome.server_id, welcome.max_unacked_batches, welcome.max_unacked_bytes) == (
        enrolled.server_id,
        8,
        4 * 1024 * 1024,
    )
    assert welcome.settings.server.retention_days == 12
    assert abs(welcome.server_time.ToNanoseconds() - now_ns()) < 5 * 10**9
    assert not welcome.live_mode.enabled


@pytest.mark.parametrize("key", ["", "flk_nonsense", f"flk_{uuid.UUID(int=7).hex}_secret_00000000"])
async def test_an_unknown_key_is_refused(ingest: IngestHouse, key: str) -> None:
    async with scripted_agent(ingest.address, key=key) as agent:
        error = await agent.ending()

    assert error is not None
    assert error.kind is Kind.UNAUTHENTICATED


@pytest.mark.parametrize("first", [batch(1), ingest_pb2.Pong()], ids=["a batch", "a pong"])
async def test_a_stream_that_does_not_begin_with_hello_is_refused(ingest: IngestHouse, first: Message) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.send(first)
        error = await agent.ending()

    assert error is not None
    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "hello")


async def test_a_hello_sent_at_an_impossible_time_is_taken(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    hello = ingest_pb2.Hello(lanes=[ingest_pb2.LanePosition(lane=LIVE, seq=1)])
    hello.send_time.seconds, hello.send_time.nanos = 2**63 - 1, -1
    async with ingest.agent(enrolled) as agent:
        await agent.send(hello)

        assert await agent.expect(ingest_pb2.Welcome)

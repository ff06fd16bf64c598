"""How streams begin and end: the protocol, one stream per server, draining, revocation, settings."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from flick.errors import Kind
from flick.rpc.client import open_channel
from flick.v1 import ingest_pb2, telemetry_pb2
from services.ingest.streams.times import StreamTimes
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import BACKFILL, LIVE, Call, Request, batch, now_ns, sample, scripted_agent
from tests.integration.ingest.house import IngestHouse, ingest_house
from tests.waiting import eventually, until


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


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([batch(2, sample(1))], "frame 2 came where 1 is next"),
        ([batch(1), batch(3)], "frame 3 came where 2 is next"),
        ([batch(1), batch(1)], "frame 1 came where 2 is next"),
        ([batch(1, lane=ingest_pb2.LANE_UNSPECIFIED)], "was not named in hello.lanes"),
        ([ingest_pb2.Hello()], "it comes once"),
        ([batch(1, layouts=[telemetry_pb2.Layout(layout_id=0)])], "number 0 is taken or 0"),
    ],
    ids=["not at hello's place", "a hole", "the same again", "no lane", "hello again", "a layout without number"],
)
async def test_breaking_the_protocol_ends_only_that_stream(
    ingest: IngestHouse, frames: list[Message], words: str
) -> None:
    enrolled, other = await ingest.enroll(), await ingest.enroll()
    async with ingest.agent(other) as healthy, ingest.agent(enrolled) as agent:
        await healthy.hello()
        await agent.hello()
        for frame in frames:
            await agent.send(frame)
        error = await agent.ending()
        await healthy.send(batch(1, sample(now_ns())))
        await healthy.acked(1)

    assert error is not None
    assert (error.kind, error.reason) == (Kind.INVALID_ARGUMENT, "PROTOCOL")
    assert agent.last("fatal").code == ingest_pb2.FATAL_CODE_PROTOCOL
    assert words in agent.last("fatal").message


async def test_more_than_the_credits_is_a_broken_protocol(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent, fresh.database.transaction():
        await fresh.database.execute("lock table telemetry.metrics in access exclusive mode")
        await agent.hello()
        for seq in range(1, 11):
            await agent.send(batch(seq, sample(now_ns() + seq * 1000)))
        error = await agent.ending()

    assert error is not None
    assert "More than 8 frames are unacked" in error.public


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


async def test_bytes_that_are_no_message_end_only_their_stream(ingest: IngestHouse) -> None:
    enrolled, other = await ingest.enroll(), await ingest.enroll()
    async with ingest.agent(other) as healthy, open_channel(ingest.address) as channel:
        await healthy.hello()
        call: Call = channel.stream_stream("/flick.v1.IngestService/StreamTelemetry")(
            metadata=(("authorization", f"Bearer {enrolled.key}"),)
        )
        await call.write(b"\xff" * 100)  # type: ignore[arg-type]  # what no client of ours would send
        code = await call.code()
        await healthy.send(batch(1, sample(now_ns())))
        await healthy.acked(1)

    assert code.name in ("INTERNAL", "INVALID_ARGUMENT", "UNKNOWN")


async def test_a_message_that_is_too_large_ends_its_stream(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, telemetry_pb2.Sample(processes=b"\0" * (5 * 1024 * 1024))))
        error = await agent.ending()

    assert error is not None
    assert error.kind is Kind.RESOURCE_EXHAUSTED


async def test_frames_of_a_later_version_are_passed_over(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.call.write(Request())
        await agent.send(ingest_pb2.CommandOutput(command_id="1"))
        await agent.send(batch(1, sample(now_ns())))
        await agent.acked(1)

    assert (fresh.count("frames_ignored_total", kind="unknown"), fresh.counted("frames_ignored")) == (1, 2)


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


async def test_a_revoked_key_ends_its_stream_and_nothing_more_is_stored(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(now_ns())))
        await agent.acked(1)
        stored = len(await ingest.stored(enrolled))
        ingest.auth.revoke(enrolled)
        error = await agent.ending(within_s=5)
    async with ingest.agent(enrolled) as again:
        refused = await again.ending()

    assert error is not None
    assert refused is not None
    assert (error.kind, error.reason, refused.kind) == (Kind.UNAUTHENTICATED, "REVOKED", Kind.UNAUTHENTICATED)
    assert agent.last("fatal").code == ingest_pb2.FATAL_CODE_REVOKED
    assert len(await ingest.stored(enrolled)) == stored == 1


async def test_what_waits_for_the_writer_when_its_key_is_revoked_is_not_stored(fresh: IngestHouse) -> None:
    enrolled, other = await fresh.enroll(), await fresh.enroll()
    async with fresh.agent(enrolled) as agent, fresh.agent(other) as busy:
        await agent.hello()
        await busy.hello()
        async with fresh.database.transaction():
            await fresh.database.execute("lock table telemetry.metrics in access exclusive mode")
            await busy.send(batch(1, sample(now_ns())))  # its commit waits for the lock, and all others for it
            await fresh.waits_for_a_lock()
            await agent.send(batch(1, sample(now_ns())))
            await _arrived(fresh, samples=2)
            fresh.auth.revoke(enrolled)
            error = await agent.ending(within_s=5)
        await busy.acked(1)
        await busy.send(batch(2, sample(now_ns())))
        await busy.acked(2)

    assert error is not None
    assert error.reason == "REVOKED"
    assert await fresh.stored(enrolled) == []
    assert fresh.count("samples_discarded_total", reason="not_wanted") == 1


async def test_a_revocation_is_noticed_while_auths_stream_is_broken(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        fresh.auth.mute()
        fresh.auth.revoke(enrolled)
        error = await agent.ending(within_s=20)

    assert error is not None
    assert error.reason == "REVOKED"


async def test_changed_settings_reach_the_agent_and_what_they_forbid_is_not_stored(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    process = telemetry_pb2.Process(pid=1, name="mysqld", command="mysqld --password=secret")
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        ingest.auth.change_settings(enrolled, process_commands_enabled=False)
        settings = await agent.expect(ingest_pb2.Settings)
        await agent.send(batch(1, sample(at, processes=[process])))
        await agent.acked(1)
        ingest.auth.change_settings(enrolled, processes_enabled=False)
        await agent.expect(ingest_pb2.Settings)
        await agent.send(batch(2, sample(at + 1000, processes=[process])))
        await agent.acked(2)
    packed = await ingest.database.fetch(
        "select snapshot from telemetry.processes where server_id = $1", enrolled.server_id
    )

    assert not settings.server.process_commands_enabled
    assert [telemetry_pb2.ProcessSnapshot.FromString(row["snapshot"]).processes[0] for row in packed] == [
        telemetry_pb2.Process(pid=1, name="mysqld")
    ]


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


async def _arrived(ingest: IngestHouse, *, samples: int) -> None:
    async def received() -> float:
        return ingest.counted("samples_received")

    assert await eventually(received, lambda count: count >= samples, within_s=5, every_s=0.01) >= samples

"""What breaks the rules of the stream ends that stream only, and names the frame that is at fault."""

import re

import pytest
from google.protobuf.message import Message

from flick.errors import FlickError, Kind
from flick.rpc.client import open_channel
from flick.v1 import catalog_pb2, ingest_pb2, ingest_pb2_grpc, telemetry_pb2
from tests.integration.ingest.agent import BACKFILL, LIVE, Call, Request, ScriptedAgent, batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse

NO_LANE = ingest_pb2.LANE_UNSPECIFIED


def _layout(label: str) -> telemetry_pb2.Layout:
    series = [telemetry_pb2.Series(metric=catalog_pb2.METRIC_CPU_CORE_UTILIZATION, label_values=[label])]
    return telemetry_pb2.Layout(layout_id=1, series=series)


def _record(body: str) -> ingest_pb2.LogRecord:
    return ingest_pb2.LogRecord(body=body)


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


async def _answer_to(ingest: IngestHouse, *raw: bytes) -> tuple[ingest_pb2.Fatal, FlickError | None]:
    """What an agent gets that sends these bytes after Hello."""
    enrolled = await ingest.enroll()
    async with open_channel(ingest.address) as channel:
        call: Call = channel.stream_stream(
            "/flick.v1.IngestService/StreamTelemetry",
            response_deserializer=ingest_pb2.StreamTelemetryResponse.FromString,
        )(metadata=(("authorization", f"Bearer {enrolled.key}"),))
        agent = ScriptedAgent(call=call)
        hello = ingest_pb2.Hello(lanes=[ingest_pb2.LanePosition(lane=lane, seq=1) for lane in (LIVE, BACKFILL)])
        for one in (Request(hello=hello).SerializeToString(), *raw):
            await call.write(one)  # type: ignore[arg-type]  # what no client of ours would send
        error = await agent.ending()
    return agent.last("fatal"), error


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        (Request(metric_batch=batch(1, layouts=[_layout("\x01\x02")])), (LIVE, 1)),
        (Request(metric_batch=batch(1, lane=BACKFILL, layouts=[_layout("\x01\x02")])), (BACKFILL, 1)),
        (Request(log_batch=ingest_pb2.LogBatch(lane=LIVE, seq=7, records=[_record("\x01\x02")])), (LIVE, 7)),
        (Request(live_batch=ingest_pb2.LiveBatch(layouts=[_layout("\x01\x02")])), (NO_LANE, 0)),
    ],
    ids=["live", "backlog", "logs", "for viewers"],
)
async def test_a_frame_that_can_not_be_read_is_named(
    ingest: IngestHouse, frame: Request, place: tuple[int, int]
) -> None:
    raw = frame.SerializeToString().replace(b"\x01\x02", b"\xc3\x28")  # no UTF-8
    fatal, error = await _answer_to(ingest, raw)

    assert (fatal.code, (fatal.lane, fatal.seq)) == (ingest_pb2.FATAL_CODE_MALFORMED, place)
    assert error is not None
    assert (error.kind, error.reason) == (Kind.INVALID_ARGUMENT, "MALFORMED")


async def test_bytes_that_are_no_message_end_only_their_stream(ingest: IngestHouse) -> None:
    other = await ingest.enroll()
    async with ingest.agent(other) as healthy:
        await healthy.hello()
        fatal, error = await _answer_to(ingest, b"\xff" * 100)
        await healthy.send(batch(1, sample(now_ns())))
        await healthy.acked(1)

    assert (fatal.code, fatal.lane, fatal.seq) == (ingest_pb2.FATAL_CODE_MALFORMED, NO_LANE, 0)
    assert error is not None
    assert error.kind is Kind.INVALID_ARGUMENT


async def test_a_layout_that_clashes_names_its_frame(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello(backfill=9)
        await agent.send(batch(1, sample(now_ns()), layouts=[_layout("a")]))
        await agent.acked(1)
        await agent.send(batch(9, sample(now_ns()), lane=BACKFILL, layouts=[_layout("b")]))
        error = await agent.ending()
    fatal = agent.last("fatal")

    assert (fatal.code, fatal.lane, fatal.seq) == (ingest_pb2.FATAL_CODE_PROTOCOL, BACKFILL, 9)
    assert error is not None
    assert "number 1 is taken" in error.public


async def test_a_message_of_5_mib_ends_its_stream_and_the_channel_goes_on(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with open_channel(ingest.address) as channel:
        stub: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
        streams = [
            ScriptedAgent(call=stub.StreamTelemetry(metadata=(("authorization", f"Bearer {enrolled.key}"),)))
            for _ in range(2)
        ]
        first, second = streams
        await first.hello()
        await first.send(batch(1, telemetry_pb2.Sample(processes=b"\0" * (5 * 1024 * 1024))))
        error = await first.ending()
        await second.hello()
        await second.send(batch(1, sample(now_ns())))
        await second.acked(1)

    assert error is not None
    assert error.kind is Kind.RESOURCE_EXHAUSTED
    assert re.search(r"larger than max \(52428\d\d vs\. 4194304\)", error.public)


async def test_frames_of_a_later_version_are_passed_over(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.call.write(Request())
        await agent.send(ingest_pb2.CommandOutput(command_id="1"))
        await agent.send(batch(1, sample(now_ns())))
        await agent.acked(1)

    assert (fresh.count("frames_ignored_total", kind="unknown"), fresh.counted("frames_ignored")) == (1, 2)

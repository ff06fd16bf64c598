"""The outbox: acks that wait become one, and an agent that reads nothing is given up."""

import asyncio

import pytest

from flick.errors import FlickError, Kind
from flick.v1 import ingest_pb2
from services.ingest.streams.outbox import MAX_REMARKS, MAX_WAITING, Outbox, Response


async def _all(outbox: Outbox) -> list[Response]:
    responses = []
    while (response := await outbox.take()) is not None:
        responses.append(response)
    return responses


def _rejection(seq: int) -> ingest_pb2.Rejection:
    return ingest_pb2.Rejection(seq=seq, count=1)


async def test_waiting_acks_of_a_lane_become_one() -> None:
    outbox = Outbox()
    for seq in (1, 2, 3):
        overflow = ingest_pb2.Overflow(seq=seq, count=1)
        outbox.put_ack(lane=ingest_pb2.LANE_LIVE, seq=seq, rejected=[_rejection(seq)], overflows=[overflow])
    outbox.put_ack(lane=ingest_pb2.LANE_BACKFILL, seq=9)
    outbox.close()
    acks = [response.ack for response in await _all(outbox)]

    assert [(ack.lane, ack.seq, len(ack.rejected), len(ack.overflows)) for ack in acks] == [
        (ingest_pb2.LANE_LIVE, 3, 3, 3),
        (ingest_pb2.LANE_BACKFILL, 9, 0, 0),
    ]


async def test_an_ack_after_one_that_is_on_its_way_is_another() -> None:
    outbox = Outbox()
    outbox.put_ack(lane=ingest_pb2.LANE_LIVE, seq=1)
    first = await outbox.take()
    outbox.put_ack(lane=ingest_pb2.LANE_LIVE, seq=2)
    outbox.close()

    assert first is not None
    assert [first.ack.seq, *[response.ack.seq for response in await _all(outbox)]] == [1, 2]


async def test_everything_that_waits_is_sent_before_the_stream_ends_with_its_error() -> None:
    outbox = Outbox()
    outbox.put(Response(ping=ingest_pb2.Ping(ping_id=1)))
    outbox.close(FlickError(Kind.ABORTED, "over"))
    outbox.put(Response(ping=ingest_pb2.Ping(ping_id=2)))

    assert [response.ping.ping_id for response in await _all(outbox)] == [1]
    assert str(outbox.error) == "over"


@pytest.mark.parametrize("error", [None, FlickError(Kind.ABORTED, "over")], ids=["well", "with an error"])
async def test_who_waits_hears_of_news_and_of_the_end(error: FlickError | None) -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.put(Response(ping=ingest_pb2.Ping(ping_id=1)))
    first = await waiting
    waiting = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.close(error)
    last = await waiting

    assert first is not None
    assert (last, outbox.error) == (None, error)


async def test_remarks_do_not_pile_up_for_an_agent_that_reads_nothing() -> None:
    outbox = Outbox()
    for seq in range(MAX_REMARKS // 2 + 1):
        overflow = ingest_pb2.Overflow(seq=seq, count=1)
        outbox.put_ack(lane=ingest_pb2.LANE_LIVE, seq=seq, rejected=[_rejection(seq)], overflows=[overflow])

    assert await outbox.take() is None
    assert "does not read" in str(outbox.error)


async def test_an_agent_that_reads_nothing_is_given_up() -> None:
    outbox = Outbox()
    for number in range(MAX_WAITING + 1):
        outbox.put(Response(ping=ingest_pb2.Ping(ping_id=number)))

    assert await outbox.take() is None
    assert "does not read" in str(outbox.error)

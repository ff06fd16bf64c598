"""What ingest refuses, finds too large or leaves out is told, and holds up nothing else."""

import logging

import grpc
import pytest

from agent.identity import Identity
from flick.v1 import ingest_pb2
from tests.integration.agent.certificates import Issued
from tests.integration.agent.ingest import ScriptedIngest, Visit
from tests.integration.agent.streaming import BACKFILL, streaming, times
from tests.waiting import until


async def test_a_frame_that_is_refused_three_times_is_set_aside_and_later_frames_flow(
    identity: Identity, tls: Issued
) -> None:
    frames: list[ingest_pb2.StreamTelemetryRequest] = []

    async def refuse(visit: Visit) -> None:
        await visit.welcome()
        batch = await visit.batch()
        assert (batch.lane, batch.seq) == (BACKFILL, 1)
        fatal = ingest_pb2.Fatal(code=ingest_pb2.FATAL_CODE_MALFORMED, message="no", lane=batch.lane, seq=batch.seq)
        await visit.say(fatal=fatal)
        await visit.until_gone()

    async def take(visit: Visit) -> None:
        agent.orders.changed.clear()
        await visit.welcome()
        await agent.welcomed()
        agent.measure()
        for _ in range(2):
            frames.append(await visit.next())
            await visit.ack(frames[-1].gap if frames[-1].HasField("gap") else frames[-1].metric_batch)

    ingest = ScriptedIngest(refuse, refuse, refuse, take, Visit.until_gone)
    async with streaming(ingest, identity, tls, waiting=1) as agent:
        for _ in range(3):
            await ingest.done.get()
        await ingest.played()
        await until(lambda: not agent.spool.held())
        counts = agent.spool.counts

    gap = next(frame.gap for frame in frames if frame.HasField("gap"))
    assert (gap.lane, gap.seq, gap.dropped_samples) == (BACKFILL, 1, 1)
    assert gap.reason == ingest_pb2.GAP_REASON_REFUSED
    assert [frame.metric_batch.seq for frame in frames if not frame.HasField("gap")] == [1]
    assert (counts.taken, counts.acked, counts.refused) == (2, 1, 1)


@pytest.mark.parametrize("by_status", [False, True], ids=["fatal", "status"])
async def test_a_frame_that_is_too_large_is_sent_again_in_two_parts(
    identity: Identity, tls: Issued, by_status: bool
) -> None:
    got: list[list[int]] = []

    async def refuse(visit: Visit) -> None:
        await visit.welcome()
        batch = await visit.batch()
        assert len(batch.samples) == 2
        if by_status:
            await visit.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (5 vs. 4)")
        fatal = ingest_pb2.Fatal(code=ingest_pb2.FATAL_CODE_TOO_LARGE, message="too large", lane=BACKFILL, seq=1)
        await visit.say(fatal=fatal)
        await visit.until_gone()

    async def take(visit: Visit) -> None:
        await visit.welcome()
        for _ in range(2):
            batch = await visit.batch()
            got.append(times(batch))
            await visit.ack(batch)

    ingest = ScriptedIngest(refuse, take)
    async with streaming(ingest, identity, tls, waiting=2) as agent:
        await ingest.done.get()
        await ingest.played()
        await until(lambda: not agent.spool.held())

    assert got == [[agent.before[0]], [agent.before[1]]]


async def test_a_server_that_refuses_for_another_reason_splits_nothing(identity: Identity, tls: Issued) -> None:
    got: list[list[int]] = []

    async def refuse(visit: Visit) -> None:
        await visit.welcome()
        await visit.batch()
        visit._context.set_trailing_metadata((("grpc-status-details-bin", b"ours"),))
        await visit.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many streams.")

    async def take(visit: Visit) -> None:
        await visit.welcome()
        got.append(times(await visit.batch()))

    ingest = ScriptedIngest(refuse, take)
    async with streaming(ingest, identity, tls, waiting=2) as agent:
        await ingest.done.get()
        await ingest.played()

    assert got == [agent.before]


async def test_an_overflow_is_told_once_per_kind(
    identity: Identity, tls: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        for _ in range(2):
            batch = await visit.batch()
            overflow = ingest_pb2.Overflow(
                seq=batch.seq, kind=ingest_pb2.OVERFLOW_KIND_SERIES, count=3, detail="more than 2000 series"
            )
            await visit.say(ack=ingest_pb2.Ack(lane=batch.lane, seq=batch.seq, overflows=[overflow]))

    with caplog.at_level(logging.WARNING):
        async with streaming(ScriptedIngest(script), identity, tls, waiting=4) as agent:
            await until(lambda: not agent.spool.held())

    assert caplog.text.count("more than 2000 series") == 1


async def test_rejected_samples_are_told_with_their_reason_and_never_sent_again(
    identity: Identity, tls: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        await agent.welcomed()
        agent.measure()
        batch = await visit.batch()
        rejection = ingest_pb2.Rejection(
            seq=batch.seq, reason=ingest_pb2.REJECTION_REASON_CONFLICT, count=1, detail="another sample is there"
        )
        await visit.say(ack=ingest_pb2.Ack(lane=batch.lane, seq=batch.seq, rejected=[rejection]))

    ingest = ScriptedIngest(script, Visit.until_gone)
    with caplog.at_level(logging.WARNING):
        async with streaming(ingest, identity, tls) as agent:
            await ingest.played()
            await until(lambda: not agent.spool.held())

    assert "another sample is there" in caplog.text

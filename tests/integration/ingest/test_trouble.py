"""When the database is in trouble: nothing is acked that is not durable, the agent is told when to come again."""

import asyncio

import pytest

from flick.v1 import catalog_pb2, ingest_pb2, telemetry_pb2
from services.ingest.intake.admission import Admission
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import BACKFILL, LIVE, ScriptedAgent, batch, now_ns, sample
from tests.integration.ingest.house import NO_SEVENS, IngestHouse, ingest_house


async def _retry(agent: ScriptedAgent) -> ingest_pb2.RetryAfter:
    retry: ingest_pb2.RetryAfter = await agent.expect(ingest_pb2.RetryAfter)
    return retry


async def _resend_until_acked(agent: ScriptedAgent, frame: ingest_pb2.MetricBatch) -> None:
    """Send a frame again, as RetryAfter says, until it is acked."""
    async with asyncio.timeout(20):
        while True:
            await agent.send(frame)
            answer = await _answer(agent)
            if isinstance(answer, ingest_pb2.Ack):
                return
            await asyncio.sleep(answer.delay.ToNanoseconds() / 1e9)


async def _answer(agent: ScriptedAgent) -> ingest_pb2.Ack | ingest_pb2.RetryAfter:
    answer: ingest_pb2.Ack | ingest_pb2.RetryAfter = await agent.expect(
        ingest_pb2.Ack | ingest_pb2.RetryAfter  # type: ignore[arg-type]
    )
    return answer


async def test_nothing_is_acked_while_commits_are_not_durable(
    fresh: IngestHouse, telemetry: str, caplog: pytest.LogCaptureFixture
) -> None:
    enrolled = await fresh.enroll()
    frame = batch(1, sample(now_ns()))
    await fresh.database.execute(f'alter database "{telemetry}" set synchronous_commit = off')
    await fresh.end_connections()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        while fresh.count("durable"):  # a first try may find its connection ended
            await agent.send(frame)
            retry = await _retry(agent)
        stored = await fresh.stored(enrolled)
        await fresh.database.execute(f'alter database "{telemetry}" reset synchronous_commit')
        await fresh.end_connections()
        await _resend_until_acked(agent, frame)

    assert (retry.lane, retry.seq, stored) == (LIVE, 1, [])
    assert fresh.count("durable") == 1
    assert "commits fail, agents send again" in [record.message for record in caplog.records]


async def test_a_commit_that_fails_is_sent_again_with_all_that_followed(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at = now_ns()
    frames = [batch(seq, sample(at + seq * 1000)) for seq in range(1, 5)]
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        async with fresh.database.transaction():
            await fresh.database.execute("lock table telemetry.metrics in access exclusive mode")
            await agent.send(frames[0])
            await fresh.waits_for_a_lock()
            for frame in frames[1:]:
                await agent.send(frame)
            await fresh.end_connections()
            retry = await _retry(agent)
            stored_before = fresh.counted("samples_stored")
        for frame in frames:
            await _resend_until_acked(agent, frame)

    assert (retry.lane, retry.seq, retry.delay.ToNanoseconds() > 0, stored_before) == (LIVE, 1, True, 0)
    assert await fresh.times(enrolled) == [at + seq * 1000 for seq in range(1, 5)]
    assert not [one for one in agent.heard if one.HasField("fatal")]


async def test_a_layout_that_came_with_a_frame_passed_over_is_known_to_the_other_lane(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    series = [telemetry_pb2.Series(metric=catalog_pb2.METRIC_CPU_CORE_UTILIZATION, label_values=["0"])]
    layout = telemetry_pb2.Layout(layout_id=1, series=series)
    at = now_ns()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        async with fresh.database.transaction():
            await fresh.database.execute("lock table telemetry.metrics in access exclusive mode")
            await agent.send(batch(1, sample(at)))
            await fresh.waits_for_a_lock()
            await fresh.end_connections()
            await _retry(agent)
        await agent.send(batch(2, sample(at + 1000, layout_id=1, labelled=[1.0]), layouts=[layout]))
        await agent.send(batch(1, sample(at - 1000, layout_id=1, labelled=[2.0]), lane=BACKFILL))
        rejected = await agent.acked(1, lane=BACKFILL)

    assert rejected == []
    assert await fresh.times(enrolled) == [at - 1000]
    assert fresh.count("samples_discarded_total", reason="rewound") == 1


async def test_a_frame_that_the_database_can_not_store_hurts_no_other(fresh: IngestHouse) -> None:
    poisoned, healthy = await fresh.enroll(), await fresh.enroll()
    await fresh.database.execute(NO_SEVENS)
    at = now_ns()
    async with fresh.agent(poisoned) as one, fresh.agent(healthy) as other:
        await one.hello()
        await other.hello()
        await one.send(batch(1, sample(at, 7.0)))
        await other.send(batch(1, sample(at, 0.5)))
        await one.send(batch(2, sample(at + 1000, 0.5)))
        await other.acked(1)
        rejected = await one.acked(2)

    assert [(one.seq, one.reason, one.count) for one in rejected] == [(1, ingest_pb2.REJECTION_REASON_MALFORMED, 1)]
    assert (len(await fresh.stored(poisoned)), len(await fresh.stored(healthy))) == (1, 1)


async def test_a_layout_that_can_not_be_stored_now_returns_its_frame(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    layout = telemetry_pb2.Layout(
        layout_id=1, series=[telemetry_pb2.Series(metric=catalog_pb2.METRIC_CPU_CORE_UTILIZATION, label_values=["0"])]
    )
    at = now_ns()
    frame = batch(1, sample(at, layout_id=1, labelled=[1.0]), layouts=[layout])
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        async with fresh.database.transaction():
            await fresh.database.execute("lock table telemetry.layouts in access exclusive mode")
            await agent.send(frame)
            await fresh.waits_for_a_lock()
            await fresh.end_connections()
            retry = await _retry(agent)
        await _resend_until_acked(agent, frame)

    assert retry.seq == 1
    assert await fresh.times(enrolled) == [at]


async def test_a_frame_without_room_is_returned_and_taken_when_there_is_room_again(
    postgres: DatabaseServer, telemetry: str, redis_url: str
) -> None:
    narrow = Admission(admitted_bytes=1, waiting_bytes=0)
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, admission=narrow) as house:
        first, second = await house.enroll(), await house.enroll()
        frame = batch(1, sample(now_ns()))
        async with house.agent(first) as one, house.agent(second) as other:
            await one.hello()
            await other.hello()
            async with house.database.transaction():
                await house.database.execute("lock table telemetry.metrics in access exclusive mode")
                await one.send(frame)
                await house.waits_for_a_lock()
                await other.send(frame)
                retry = await _retry(other)
            await one.acked(1)
            await _resend_until_acked(other, frame)
        stored = [len(await house.stored(enrolled)) for enrolled in (first, second)]

    assert (retry.seq, stored) == (1, [1, 1])
    assert house.count("samples_returned_total", reason="no_room") == 1


async def test_frames_of_many_streams_share_commits_and_each_stream_gets_its_own_acks(fresh: IngestHouse) -> None:
    enrolled = [fresh.auth.enroll() for _ in range(20)]
    await fresh.enroll()
    at = now_ns()

    async def run(number: int) -> None:
        async with fresh.agent(enrolled[number]) as agent:
            await agent.hello()
            for seq in range(1, 11):
                await agent.send(batch(seq, sample(at + seq * 1000, number)))
                await agent.acked(seq)

    await asyncio.gather(*(run(number) for number in range(20)))
    count = await fresh.database.fetchval("select count(*) from telemetry.metrics")

    assert count == 200
    assert fresh.count("flush_samples_count") < 200

"""What became of samples beside being stored is counted per server, exactly, in the transaction of their commit."""

import asyncio
import math
import random
from collections.abc import Callable

import pytest

from flick.ids import new_id
from flick.v1 import catalog_pb2, delivery_pb2, ingest_pb2, telemetry_pb2
from services.ingest.ledger.counts import Counts
from services.ingest.ledger.outcomes import Outcome, OutcomeKey, Outcomes
from tests.integration.ingest.agent import LIVE, SECOND_NS, ScriptedAgent, batch, now_ns, sample
from tests.integration.ingest.house import NO_SEVENS, IngestHouse
from tests.integration.ingest.ledger.conftest import Ledgers
from tests.tiny_auth import Enrolled
from tests.waiting import eventually

DAY_NS = 86_400 * SECOND_NS
SEED = 20_261
Found = dict[tuple[str, int], int]


async def _counts(house: IngestHouse, enrolled: Enrolled) -> Found:
    rows = await house.database.fetch(
        "select outcome, reason, sum(count)::int as count from telemetry.deliveries"
        " where server_id = $1 and organization_id = $2 group by 1, 2",
        *(enrolled.server_id, enrolled.organization_id),
    )
    return {(row["outcome"], row["reason"]): row["count"] for row in rows}


async def _send(agent: ScriptedAgent, *frames: ingest_pb2.MetricBatch) -> list[ingest_pb2.Rejection]:
    for frame in frames:
        await agent.send(frame)
    return await agent.acked(frames[-1].seq)


async def test_samples_that_are_simply_stored_write_nothing(ingest: IngestHouse) -> None:
    enrolled, at = await ingest.enroll(), now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await _send(agent, *(batch(seq, sample(at + seq * 1000)) for seq in range(1, 6)))

    assert len(await ingest.stored(enrolled)) == 5
    assert await _counts(ingest, enrolled) == {}


async def test_replays_are_counted_for_the_server_that_replays(fresh: IngestHouse) -> None:
    again, anew, at = await fresh.enroll(), await fresh.enroll(), now_ns()
    frames = [batch(seq, sample(at + seq * 2000), sample(at + seq * 2000 + 1000)) for seq in range(1, 5)]
    async with fresh.agent(again) as one:
        await one.hello()
        await _send(one, *frames)
    async with fresh.agent(again) as one, fresh.agent(anew) as other:
        await one.hello()
        await other.hello()
        await asyncio.gather(_send(one, *frames), _send(other, *frames))

    assert await _counts(fresh, again) == {("duplicate", 0): 8}
    assert await _counts(fresh, anew) == {}
    assert len(await fresh.stored(anew)) == 8


async def test_the_same_twice_in_a_commit_is_a_duplicate(ingest: IngestHouse) -> None:
    enrolled, at = await ingest.enroll(), now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await _send(agent, batch(1, sample(at), sample(at), sample(at + 1000)))

    assert await _counts(ingest, enrolled) == {("duplicate", 0): 1}


async def test_conflicts_are_counted_and_are_no_duplicates(ingest: IngestHouse) -> None:
    enrolled, at = await ingest.enroll(), now_ns()
    one, other = telemetry_pb2.Process(pid=1), telemetry_pb2.Process(pid=2)
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await _send(agent, batch(1, sample(at, 0.1), sample(at + 1000, 0.1), sample(at + 2000, processes=[one])))
        await _send(
            agent,
            batch(2, sample(at, 0.9), sample(at + 1000, 0.1), sample(at + 2000, processes=[other]), sample(at + 3000)),
        )

    assert await _counts(ingest, enrolled) == {("conflict", 0): 2, ("duplicate", 0): 1}
    assert len(await ingest.stored(enrolled)) == 4


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        (ingest_pb2.REJECTION_REASON_FUTURE, lambda at: sample(at + 60 * SECOND_NS)),
        (ingest_pb2.REJECTION_REASON_TOO_OLD, lambda at: sample(at - 400 * DAY_NS)),
        (ingest_pb2.REJECTION_REASON_LAYOUT, lambda at: sample(at, layout_id=9, labelled=[1.0])),
        (ingest_pb2.REJECTION_REASON_MALFORMED, lambda at: sample(at, math.inf)),
    ],
    ids=["future", "too old", "layout", "malformed"],
)
async def test_what_is_rejected_is_counted_by_its_reason(
    ingest: IngestHouse, reason: int, refused: Callable[[int], telemetry_pb2.Sample]
) -> None:
    enrolled, at = await ingest.enroll(), now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        told = await _send(agent, batch(1, refused(at), sample(at)), batch(2, refused(at + 1000), refused(at + 2000)))

    assert {one.reason for one in told} == {reason}
    assert await _counts(ingest, enrolled) == {("rejected", reason): 3}
    assert len(await ingest.stored(enrolled)) == 1


async def test_log_records_that_are_not_stored_are_counted_as_unsupported(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(ingest_pb2.LogBatch(lane=LIVE, seq=1, records=[ingest_pb2.LogRecord(body="x")] * 3))
        await agent.acked(1)

    assert await _counts(ingest, enrolled) == {("rejected", ingest_pb2.REJECTION_REASON_UNSUPPORTED): 3}


async def test_what_the_database_can_not_store_is_counted_as_malformed(fresh: IngestHouse) -> None:
    poisoned, healthy, at = await fresh.enroll(), await fresh.enroll(), now_ns()
    await fresh.database.execute(NO_SEVENS)
    async with fresh.agent(poisoned) as one, fresh.agent(healthy) as other:
        await one.hello()
        await other.hello()
        frame = batch(1, sample(at, 7.0), sample(at + 1000, 7.0), sample(at + 60 * SECOND_NS))
        await asyncio.gather(_send(one, frame), _send(other, batch(1, sample(at))))

    assert await _counts(fresh, poisoned) == {
        ("rejected", ingest_pb2.REJECTION_REASON_MALFORMED): 2,
        ("rejected", ingest_pb2.REJECTION_REASON_FUTURE): 1,
    }
    assert await _counts(fresh, healthy) == {}


async def test_a_gap_that_the_database_can_not_store_is_refused_and_counts_no_sample(fresh: IngestHouse) -> None:
    enrolled, at = await fresh.enroll(), now_ns()
    await fresh.database.execute("alter table telemetry.gaps add constraint no_sevens check (dropped_samples <> 7)")
    gap = ingest_pb2.Gap(lane=LIVE, seq=2, reason=ingest_pb2.GAP_REASON_SPOOL_FULL, dropped_samples=7)
    gap.start_time.FromNanoseconds(at - 60 * SECOND_NS)
    gap.end_time.FromNanoseconds(at)
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at), sample(at + 60 * SECOND_NS)))
        await agent.send(gap)
        await agent.send(batch(3, sample(at + 1000)))
        told = await agent.acked(3)

    assert [(one.seq, one.reason, one.count) for one in told] == [
        (1, ingest_pb2.REJECTION_REASON_FUTURE, 1),
        (2, ingest_pb2.REJECTION_REASON_MALFORMED, 0),
    ]
    assert await _counts(fresh, enrolled) == {("rejected", ingest_pb2.REJECTION_REASON_FUTURE): 1}
    assert len(await fresh.stored(enrolled)) == 2


def _too_many_series(at: int) -> ingest_pb2.MetricBatch:
    series = [
        telemetry_pb2.Series(metric=catalog_pb2.METRIC_CPU_CORE_UTILIZATION, label_values=[str(number)])
        for number in range(2003)
    ]
    layout = telemetry_pb2.Layout(layout_id=1, series=series)
    return batch(1, sample(at, layout_id=1, labelled=[0.0] * 2003), layouts=[layout])


async def test_what_is_left_out_is_counted_by_limit_and_its_first_time_is_an_event(fresh: IngestHouse) -> None:
    enrolled, at = await fresh.enroll(), now_ns()
    crowd = [telemetry_pb2.Process(pid=pid) for pid in range(203)]
    async with fresh.agent(enrolled) as agent:
        await agent.hello(spool_id="spool")
        await _send(agent, _too_many_series(at))
        await _send(agent, batch(2, sample(at + 1000, processes=crowd)), batch(3, sample(at + 2000, processes=crowd)))
    events = await fresh.database.fetch(
        "select kind, reason, count from telemetry.delivery_events where server_id = $1 order by reason",
        enrolled.server_id,
    )

    assert await _counts(fresh, enrolled) == {
        ("overflow", ingest_pb2.OVERFLOW_KIND_SERIES): 3,
        ("overflow", ingest_pb2.OVERFLOW_KIND_PROCESSES): 6,
    }
    assert [tuple(row) for row in events] == [
        (delivery_pb2.DELIVERY_EVENT_KIND_OVERFLOW, ingest_pb2.OVERFLOW_KIND_SERIES, 1),
        (delivery_pb2.DELIVERY_EVENT_KIND_OVERFLOW, ingest_pb2.OVERFLOW_KIND_PROCESSES, 1),
    ]
    assert len(await fresh.stored(enrolled)) == 3


@pytest.mark.parametrize(("hours", "expected"), [(23, 0), (26, 1)])
async def test_an_overflow_is_an_event_again_after_a_day(ingest: IngestHouse, hours: int, expected: int) -> None:
    enrolled, at = await ingest.enroll(), now_ns()
    await ingest.database.execute(
        "insert into telemetry.deliveries select $1, $2, date_trunc('hour', now()) - $4 * interval '1 hour',"
        " 'overflow', $3, 1",
        *(enrolled.server_id, enrolled.organization_id, ingest_pb2.OVERFLOW_KIND_SERIES, hours),
    )
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await _send(agent, _too_many_series(at))
    events = await ingest.database.fetchval(
        "select count(*) from telemetry.delivery_events where server_id = $1", enrolled.server_id
    )

    assert events == expected


async def test_nothing_is_acked_while_its_counts_can_not_be_committed(fresh: IngestHouse) -> None:
    enrolled, at = await fresh.enroll(), now_ns()
    refused = batch(1, sample(at + 60 * SECOND_NS))
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        async with fresh.database.transaction():
            await fresh.database.execute("lock table telemetry.deliveries in access exclusive mode")
            await agent.send(refused)
            await fresh.waits_for_a_lock()
            await fresh.end_connections()
            retry: ingest_pb2.RetryAfter = await agent.expect(ingest_pb2.RetryAfter)
        acked = [one for one in agent.heard if one.HasField("ack")]
        while True:
            await asyncio.sleep(retry.delay.ToNanoseconds() / 1e9)
            await agent.send(refused)
            response = await agent.call.read()
            assert isinstance(response, ingest_pb2.StreamTelemetryResponse)
            if response.HasField("ack"):
                break
            retry = response.retry_after

    assert (retry.seq, acked) == (1, [])
    assert await _counts(fresh, enrolled) == {("rejected", ingest_pb2.REJECTION_REASON_FUTURE): 1}


async def test_processes_that_count_for_the_same_servers_never_wait_in_a_ring(ledgers: Ledgers) -> None:
    keys = [OutcomeKey(new_id(), new_id(), Outcome.DUPLICATE) for _ in range(20)]
    counts, rng = Counts(), random.Random(SEED)

    async def commit() -> None:
        for _ in range(25):
            async with ledgers.pool.acquire() as connection, connection.transaction():
                await counts.add(connection, Outcomes(dict.fromkeys(rng.sample(keys, len(keys)), 1)))

    await asyncio.gather(*(commit() for _ in range(4)))
    rows = await ledgers.owner.fetch(
        "select sum(count)::int as count from telemetry.deliveries where server_id = any($1) group by server_id",
        [key.server_id for key in keys],
    )

    assert [row["count"] for row in rows] == [100] * 20


async def test_the_lag_of_live_samples_is_observed_and_a_backlog_s_is_not(fresh: IngestHouse) -> None:
    enrolled, at = await fresh.enroll(), now_ns()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await _send(agent, batch(1, sample(at - 20 * SECOND_NS)))
        await agent.send(batch(1, sample(at - 3600 * SECOND_NS), lane=ingest_pb2.LANE_BACKFILL))
        await agent.acked(1, lane=ingest_pb2.LANE_BACKFILL)

    async def observed() -> float:
        return fresh.count("commit_lag_seconds_count")

    assert await eventually(observed, lambda count: count == 1, within_s=5, every_s=0.01) == 1
    assert 20 <= fresh.count("commit_lag_seconds_sum") < 60

"""What an ack promises: committed, once, and told what was refused."""

import math

import pytest

from flick.v1 import catalog_pb2, ingest_pb2, telemetry_pb2
from tests.integration.ingest.agent import BACKFILL, LIVE, SECOND_NS, batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse


async def test_an_acked_sample_is_stored_with_everything_it_measured(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    layout = telemetry_pb2.Layout(
        layout_id=7,
        series=[
            telemetry_pb2.Series(metric=catalog_pb2.METRIC_CPU_CORE_UTILIZATION, label_values=[str(core)])
            for core in range(3)
        ],
    )
    process = telemetry_pb2.Process(pid=1, name="init", command="/sbin/init", cpu_utilization=0.25)
    core = [float(number) for number in range(1, 26)]
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        measured = sample(at, *core, layout_id=7, labelled=[0.5, math.nan, 1.0], processes=[process])
        await agent.send(batch(1, measured, layouts=[layout]))
        rejected = await agent.acked(1)

    (row,) = await ingest.stored(enrolled)
    packed = await ingest.database.fetchval(
        "select snapshot from telemetry.processes where server_id = $1", enrolled.server_id
    )
    series = await ingest.database.fetchval(
        "select series from telemetry.layouts where layout_id = $1", row["layout_id"]
    )

    assert rejected == []
    assert (row["cpu_utilization"], row["uptime"], row["labelled"]) == (1.0, 25.0, [0.5, None, 1.0])
    assert str(row["organization_id"]) == enrolled.organization_id
    assert await ingest.times(enrolled) == [at]
    assert telemetry_pb2.ProcessSnapshot.FromString(packed).processes == [process]
    assert telemetry_pb2.Layout.FromString(series).series == layout.series


async def test_what_was_not_measured_is_null(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(now_ns(), math.nan)))
        await agent.acked(1)
    (row,) = await ingest.stored(enrolled)

    assert (row["cpu_utilization"], row["uptime"], row["labelled"], row["layout_id"]) == (None, None, None, None)


async def test_replaying_everything_changes_nothing(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    process = telemetry_pb2.Process(pid=1, name="init")
    at = now_ns()
    batches = [batch(seq, sample(at + seq * 1000, 0.1 * seq, processes=[process])) for seq in range(1, 6)]
    for _ in range(3):
        async with fresh.agent(enrolled) as agent:
            await agent.hello()
            for one in batches:
                await agent.send(one)
            rejected = await agent.acked(5)
            assert rejected == []

    assert len(await fresh.stored(enrolled)) == 5
    assert (fresh.counted("samples_stored"), fresh.counted("samples_duplicate")) == (5, 10)


async def test_new_samples_beside_replayed_ones_are_stored(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at)))
        await agent.acked(1)
        await agent.send(batch(2, sample(at), sample(at + 1000)))
        await agent.acked(2)

    assert await ingest.times(enrolled) == [at, at + 1000]


async def test_other_content_at_a_stored_time_is_a_conflict_and_leaves_what_is_stored(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at = now_ns()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at, 0.25)))
        await agent.acked(1)
        await agent.send(batch(2, sample(at, 0.75), sample(at + 1000, 0.75)))
        (rejection,) = await agent.acked(2)
    rows = await fresh.stored(enrolled)

    assert (rejection.seq, rejection.reason, rejection.count) == (2, ingest_pb2.REJECTION_REASON_CONFLICT, 1)
    assert str(at) in rejection.detail
    assert [row["cpu_utilization"] for row in rows] == [0.25, 0.75]
    assert fresh.count("samples_rejected_total", reason="conflict") == 1


async def test_other_processes_at_a_stored_time_are_a_conflict_too(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at, processes=[telemetry_pb2.Process(pid=1)])))
        await agent.acked(1)
        await agent.send(batch(2, sample(at, processes=[telemetry_pb2.Process(pid=2)])))
        (rejection,) = await agent.acked(2)

    assert rejection.reason == ingest_pb2.REJECTION_REASON_CONFLICT


async def test_a_sample_of_the_future_is_rejected_and_its_neighbours_are_stored(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at), sample(at + 60 * SECOND_NS), sample(at + SECOND_NS)))
        (rejection,) = await agent.acked(1)

    assert (rejection.reason, rejection.count) == (ingest_pb2.REJECTION_REASON_FUTURE, 1)
    assert rejection.detail.startswith("samples[1].time_unix_nano is ")
    assert await ingest.times(enrolled) == [at, at + SECOND_NS]


async def test_a_sample_past_its_servers_retention_is_rejected(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll(retention_days=2)
    day = 86_400 * SECOND_NS
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at - 3 * day), sample(at - day), lane=BACKFILL))
        (rejection,) = await agent.acked(1, lane=BACKFILL)

    assert (rejection.reason, rejection.count) == (ingest_pb2.REJECTION_REASON_TOO_OLD, 1)
    assert await ingest.times(enrolled) == [at - day]


@pytest.mark.parametrize(
    ("layout_id", "labelled", "words"),
    [(3, [1.0], "layout_id 3 was not declared"), (1, [1.0], "labelled has 1 values, layout 1 has 2 series")],
)
async def test_values_that_no_layout_explains_are_rejected(
    ingest: IngestHouse, layout_id: int, labelled: list[float], words: str
) -> None:
    enrolled = await ingest.enroll()
    layout = telemetry_pb2.Layout(
        layout_id=1,
        series=[
            telemetry_pb2.Series(metric=catalog_pb2.METRIC_CPU_CORE_UTILIZATION, label_values=[str(core)])
            for core in range(2)
        ],
    )
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(now_ns(), layout_id=layout_id, labelled=labelled), layouts=[layout]))
        (rejection,) = await agent.acked(1)

    assert rejection.reason == ingest_pb2.REJECTION_REASON_LAYOUT
    assert words in rejection.detail
    assert await ingest.stored(enrolled) == []


async def test_a_layout_is_the_same_whatever_stream_declares_it(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    series = [telemetry_pb2.Series(metric=catalog_pb2.METRIC_CPU_CORE_UTILIZATION, label_values=["0"])]
    at = now_ns()
    for layout_id in (1, 9):
        async with ingest.agent(enrolled) as agent:
            await agent.hello()
            layout = telemetry_pb2.Layout(layout_id=layout_id, series=series)
            await agent.send(
                batch(1, sample(at + layout_id * 1000, layout_id=layout_id, labelled=[1]), layouts=[layout])
            )
            await agent.acked(1)
    rows = await ingest.stored(enrolled)

    assert len({row["layout_id"] for row in rows}) == 1
    assert len(rows) == 2


async def test_a_batch_of_too_many_samples_is_rejected_as_a_whole(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, *(sample(at + offset * 1000) for offset in range(1000))))
        await agent.send(batch(2, *(sample(at - offset * 1000) for offset in range(1, 1002))))
        (rejection,) = await agent.acked(2)

    assert (rejection.seq, rejection.reason, rejection.count) == (2, ingest_pb2.REJECTION_REASON_MALFORMED, 1001)
    assert len(await ingest.stored(enrolled)) == 1000


async def test_a_gap_told_twice_is_stored_once(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    gap = ingest_pb2.Gap(lane=LIVE, reason=ingest_pb2.GAP_REASON_SPOOL_FULL, dropped_samples=12)
    gap.start_time.FromNanoseconds(now_ns() - 60 * SECOND_NS)
    gap.end_time.FromNanoseconds(now_ns())
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        for seq in (1, 2):
            gap.seq = seq
            await agent.send(gap)
        rejected = await agent.acked(2)
    rows = await ingest.database.fetch(
        "select reason, dropped_samples from telemetry.gaps where server_id = $1", enrolled.server_id
    )

    assert rejected == []
    assert [tuple(row) for row in rows] == [(ingest_pb2.GAP_REASON_SPOOL_FULL, 12)]


async def test_logs_are_acked_as_unsupported(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(ingest_pb2.LogBatch(lane=LIVE, seq=1, records=[ingest_pb2.LogRecord(body="x")] * 3))
        (rejection,) = await agent.acked(1)

    assert (rejection.reason, rejection.count) == (ingest_pb2.REJECTION_REASON_UNSUPPORTED, 3)


async def test_both_lanes_are_acked_by_their_own_sequences(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello(live=41, backfill=7)
        await agent.send(batch(41, sample(at)))
        await agent.send(batch(7, sample(at - 3600 * SECOND_NS), lane=BACKFILL))
        await agent.acked(7, lane=BACKFILL)

    assert {(one.ack.lane, one.ack.seq) for one in agent.heard if one.HasField("ack")} == {(LIVE, 41), (BACKFILL, 7)}


async def test_everything_that_came_in_is_stored_or_counted(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at = now_ns()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at, 0.1), sample(at + 1000, 0.2)))
        await agent.send(batch(2, sample(at, 0.1), sample(at + 1000, 0.9), sample(at + 10**12)))
        await agent.send(batch(3, sample(at + 2000, math.inf), sample(at + 3000)))
        await agent.acked(3)
    left = sum(fresh.counted(f"samples_{way}") for way in ("stored", "duplicate", "rejected", "returned", "discarded"))

    assert (fresh.counted("samples_received"), left) == (7, 7)

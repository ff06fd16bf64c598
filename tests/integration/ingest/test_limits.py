"""The limits of one agent: what is beyond them is left out, told and counted; the rest of the sample is stored."""

import asyncio
import uuid

import pytest

from flick.clock import SystemClock
from flick.db.pool import open_pool
from flick.v1 import catalog_pb2, ingest_pb2, telemetry_pb2
from services.ingest.intake.layouts import DAILY_BYTES
from services.ingest.intake.new_layouts import NewLayouts
from services.ingest.store import Store
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse

CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION


def _layout(*labels: str) -> telemetry_pb2.Layout:
    series = [telemetry_pb2.Series(metric=CORE, label_values=[label]) for label in labels]
    return telemetry_pb2.Layout(layout_id=1, series=series)


async def _send(
    ingest: IngestHouse, frame: ingest_pb2.MetricBatch
) -> tuple[list[dict[str, object]], list[ingest_pb2.Overflow]]:
    """Have a new agent send one frame; what is stored of it, and what was told to be left out."""
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(frame)
        rejected = await agent.acked(1)
    assert rejected == []
    return await ingest.stored(enrolled), list(agent.last("ack").overflows)


async def test_of_a_larger_layout_the_first_2000_series_are_stored_with_a_layout_of_their_own(
    fresh: IngestHouse,
) -> None:
    labels = [str(number) for number in range(2003)]
    values = [float(number) for number in range(2003)]
    (row,), (overflow,) = await _send(
        fresh, batch(1, sample(now_ns(), 0.5, layout_id=1, labelled=values), layouts=[_layout(*labels)])
    )
    packed = await fresh.database.fetchval(
        "select series from telemetry.layouts where layout_id = $1", row["layout_id"]
    )
    stored = telemetry_pb2.Layout.FromString(packed).series

    assert (row["cpu_utilization"], row["labelled"]) == (0.5, values[:2000])
    assert [one.label_values[0] for one in stored] == labels[:2000]
    assert (overflow.seq, overflow.kind, overflow.count) == (1, ingest_pb2.OVERFLOW_KIND_SERIES, 3)
    assert overflow.detail == "samples[0]: 2000 labelled series at most."
    assert fresh.count("overflow_total", kind="series") == 3


async def test_series_behind_64_kib_of_labels_are_left_out(fresh: IngestHouse) -> None:
    layout = _layout("x" * 60_000, "y" * 10_000, "z")
    (row,), (overflow,) = await _send(
        fresh, batch(1, sample(now_ns(), layout_id=1, labelled=[1, 2, 3]), layouts=[layout])
    )

    assert row["labelled"] == [1.0]
    assert (overflow.kind, overflow.count) == (ingest_pb2.OVERFLOW_KIND_TEXT, 2)
    assert fresh.count("overflow_total", kind="text") == 2


async def test_processes_beyond_200_and_those_that_are_wrong_are_left_out(fresh: IngestHouse) -> None:
    processes = [telemetry_pb2.Process(pid=pid, cpu_utilization=-1 if pid == 5 else 0) for pid in range(204)]
    (row,), overflows = await _send(fresh, batch(1, sample(now_ns(), processes=processes)))
    packed = await fresh.database.fetchval("select snapshot from telemetry.processes")
    stored = [one.pid for one in telemetry_pb2.ProcessSnapshot.FromString(packed).processes]

    assert row["cpu_utilization"] == 0.5
    assert stored == [pid for pid in range(201) if pid != 5]
    assert {one.kind: one.count for one in overflows} == {
        ingest_pb2.OVERFLOW_KIND_MALFORMED: 1,
        ingest_pb2.OVERFLOW_KIND_PROCESSES: 3,
    }
    assert (fresh.count("overflow_total", kind="malformed"), fresh.count("overflow_total", kind="processes")) == (1, 3)


async def test_processes_that_can_not_be_read_never_reach_a_reader(fresh: IngestHouse) -> None:
    unreadable = telemetry_pb2.Sample(time_unix_nano=now_ns(), core=[0.5], processes=b"\x0a\x04\x12\x02\xc3\x28")
    (row,), (overflow,) = await _send(fresh, batch(1, unreadable))

    assert row["cpu_utilization"] == 0.5
    assert (overflow.kind, overflow.count) == (ingest_pb2.OVERFLOW_KIND_MALFORMED, 1)
    assert await fresh.database.fetchval("select count(*) from telemetry.processes") == 0


@pytest.mark.parametrize("streams", [1, 3])
async def test_without_room_for_new_layouts_everything_else_is_stored(fresh: IngestHouse, streams: int) -> None:
    enrolled = await fresh.enroll()
    await _fill_quota(fresh, enrolled.server_id, enrolled.organization_id)
    at = now_ns()
    for number in range(streams):
        frame = batch(
            1,
            sample(at + number * 1000, layout_id=1, labelled=[1, 2], processes=[telemetry_pb2.Process(pid=1)]),
            layouts=[_layout("a", "b")],
        )
        async with fresh.agent(enrolled) as agent:
            await agent.hello()
            await agent.send(frame)
            rejected = await agent.acked(1)
            (overflow,) = agent.last("ack").overflows
            assert rejected == []
            assert (overflow.kind, overflow.count) == (ingest_pb2.OVERFLOW_KIND_LAYOUTS, 2)
    rows = await fresh.stored(enrolled)

    assert [(row["cpu_utilization"], row["layout_id"], row["labelled"]) for row in rows] == [
        (0.5, None, None)
    ] * streams
    assert await fresh.database.fetchval("select count(*) from telemetry.processes") == streams
    assert fresh.count("overflow_total", kind="layouts") == 2 * streams


async def test_layouts_of_yesterday_take_no_room_of_today(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    await _fill_quota(fresh, enrolled.server_id, enrolled.organization_id, age="24 hours 1 second")
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(now_ns(), layout_id=1, labelled=[1]), layouts=[_layout("a")]))
        await agent.acked(1)

    assert [row["labelled"] for row in await fresh.stored(enrolled)] == [[1.0]]


async def test_the_room_for_layouts_is_exact_however_many_processes_add_at_once(
    postgres: DatabaseServer, telemetry: str
) -> None:
    server_id, organization_id = uuid.uuid4(), uuid.uuid4()
    series, fit = b"xx" * (DAILY_BYTES // 20), 9  # the tenth has no room for its own row
    url = postgres.url(database=telemetry, role="flick_ingest")
    async with open_pool(url, application_name="one") as one, open_pool(url, application_name="other") as other:
        stores = [Store(pool=pool, clock=SystemClock()).layout_ids for pool in (one, other)]
        async with NewLayouts(store=stores[0]).running() as here, NewLayouts(store=stores[1]).running() as there:
            adding = [
                (here, there)[number % 2].store(server_id, organization_id, bytes([number]) * 32, series)
                for number in range(2 * fit)
            ]
            found = await asyncio.gather(*adding)
            elsewhere = await here.store(uuid.uuid4(), organization_id, bytes(32), series)

    assert sum(layout_id is not None for layout_id in found) == fit
    assert elsewhere is not None


async def test_two_processes_that_store_the_same_layouts_at_once_find_the_same_ids(
    postgres: DatabaseServer, telemetry: str
) -> None:
    servers, organization_id = [uuid.uuid4() for _ in range(500)], uuid.uuid4()
    url = postgres.url(database=telemetry, role="flick_ingest")
    async with open_pool(url, application_name="one") as one, open_pool(url, application_name="other") as other:
        stores = [Store(pool=pool, clock=SystemClock()).layout_ids for pool in (one, other)]
        async with NewLayouts(store=stores[0]).running() as here, NewLayouts(store=stores[1]).running() as there:
            storing = [
                asyncio.gather(*(layouts.store(server, organization_id, bytes(32), b"") for server in order))
                for layouts, order in ((here, servers), (there, servers[::-1]))
            ]
            forth, back = await asyncio.gather(*storing)

    assert forth == back[::-1]
    assert len(set(forth) - {None}) == len(servers)


async def _fill_quota(ingest: IngestHouse, server_id: str, organization_id: str, *, age: str = "1 second") -> None:
    await ingest.database.execute(
        "insert into telemetry.layouts (server_id, organization_id, digest, series, create_time)"
        " values ($1, $2, sha256('filler'), $3, now() - $4::text::interval)",
        server_id,
        organization_id,
        b"x" * (DAILY_BYTES - 300),
        age,
    )

"""Files of samples, streamed: all of them, in order, and nothing goes on in PostgreSQL once the caller is gone."""

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from google.api.httpbody_pb2 import HttpBody

from flick.errors import Kind
from flick.v1 import catalog_pb2, query_pb2
from tests.databases import DatabaseServer
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, query_house, refusal
from tests.integration.query.telemetry import sample
from tests.waiting import eventually

CPU, CORES = "system.cpu.utilization", "system.cpu.core.utilization"
NUMBER_CPU, NUMBER_CORE = catalog_pb2.METRIC_CPU_UTILIZATION, catalog_pb2.METRIC_CPU_CORE_UTILIZATION
HOUR_US = 3600 * SECOND_US
BEGIN_US = now_us() // HOUR_US * HOUR_US - 50 * HOUR_US
BUSY = "select count(*) from pg_stat_activity where application_name = 'flick-query' and state <> 'idle'"
WAITING = BUSY + " and wait_event_type = 'Lock'"


async def _store(house: QueryHouse, server_id: str, count: int) -> None:
    """Number n is n in all; of its cores the second comes halfway, and the third sample has none."""
    first = await house.telemetry.layout(server_id, (NUMBER_CORE, ["0"]))
    second = await house.telemetry.layout(server_id, (NUMBER_CORE, ["1"]), (NUMBER_CORE, ["0"]))
    samples = []
    for number in range(count):
        layout_id, labelled = (first, [0.25]) if number < count // 2 else (second, [0.5, 0.25])
        if number == 2:
            layout_id, labelled = 0, []
        core: dict[int, float] = {NUMBER_CPU: float(number)}
        samples.append(sample(BEGIN_US + number * 5 * SECOND_US, core, layout_id=layout_id, labelled=labelled))
    await house.telemetry.store(server_id, samples)


def _request(server_id: str, *names: str, seconds: int = 50_000, **fields: str) -> query_pb2.ExportMetricsRequest:
    request = query_pb2.ExportMetricsRequest(server_id=server_id, names=names or [CPU, CORES], **fields)  # type: ignore[arg-type]
    request.start_time.FromMicroseconds(BEGIN_US)
    request.end_time.FromMicroseconds(BEGIN_US + seconds * SECOND_US)
    return request


async def _read(house: QueryHouse, request: query_pb2.ExportMetricsRequest) -> tuple[str, str, int]:
    """The content type, the text, and how many pieces it came in."""
    pieces = [piece async for piece in house.query.ExportMetrics(request, metadata=house.metadata)]
    return pieces[0].content_type, b"".join(one.data for one in pieces).decode(), len(pieces)


@pytest.mark.usefixtures("lying")
async def test_a_csv_has_every_sample_once_and_in_order(house: QueryHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.query.answers.export.PART_ROWS", 700)
    server_id = await house.server()
    await _store(house, server_id, 2000)

    content_type, text, count = await _read(house, _request(server_id))

    assert content_type.startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(text))
    cores = [f"{CORES}{{cpu.logical_number={number}}} [1]" for number in "01"]
    assert head == ["time", f"{CPU} [1]", *cores]
    assert [float(one[1]) for one in rows] == [float(number) for number in range(2000)]
    assert [one[2:] for one in rows] == [
        ["", ""] if number == 2 else ["0.25", "" if number < 1000 else "0.5"] for number in range(2000)
    ]
    assert count == 4, "the head, and three parts"


@pytest.mark.usefixtures("lying")
async def test_ndjson_tells_its_columns_and_times_in_the_callers_zone(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, 4)

    request = _request(server_id, format="ndjson", time_zone="Asia/Kathmandu")
    content_type, text, _ = await _read(house, request)

    head, *rows = map(json.loads, text.splitlines())
    assert content_type == "application/x-ndjson"
    assert [one["name"] for one in head["columns"]] == [CPU, CORES, CORES]
    assert [one["values"] for one in rows] == [
        [0.0, 0.25, None],
        [1.0, 0.25, None],
        [2.0, None, None],
        [3.0, 0.25, 0.5],
    ]
    assert all(one["time"].endswith("+05:45") for one in rows)


async def test_a_span_without_samples_has_a_head_only(house: QueryHouse) -> None:
    _, text, _ = await _read(house, _request(await house.server(), CPU))
    _, labelled, _ = await _read(house, _request(await house.server(), CORES))

    assert (text, labelled) == (f"time,{CPU} [1]\r\n", "time\r\n")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"format": "xlsx"}, "format"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"seconds": 0}, "start_time"),
        ({"names": ["no.such.metric"]}, "names"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(house: QueryHouse, fields: dict[str, Any], field: str) -> None:
    request = _request(await house.server(), *fields.pop("names", []), **fields)
    error = await refusal(house.query.ExportMetrics(request, metadata=house.metadata).read())

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, [field])


async def test_a_foreign_server_is_not_found(house: QueryHouse) -> None:
    foreign = house.auth.server(organization_id="0199a0f0-0000-7000-8000-000000000000")
    error = await refusal(house.query.ExportMetrics(_request(foreign), metadata=house.metadata).read())

    assert error.kind is Kind.NOT_FOUND


async def test_a_user_has_two_exports_at_a_time(house: QueryHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.query.answers.export.PART_ROWS", 10)
    server_id = await house.server()
    await _store(house, server_id, 8000)
    calls = [house.query.ExportMetrics(_request(server_id), metadata=house.metadata) for _ in range(2)]
    for call in calls:
        assert isinstance(await call.read(), HttpBody)

    error = await refusal(house.query.ExportMetrics(_request(server_id), metadata=house.metadata).read())
    assert error.kind is Kind.RESOURCE_EXHAUSTED

    for call in calls:
        call.cancel()
    assert await eventually(lambda: _exports(house), lambda count: not count, within_s=5, every_s=0.01) == 0
    assert isinstance(
        await house.query.ExportMetrics(_request(server_id, seconds=5), metadata=house.metadata).read(), HttpBody
    )


async def _exports(house: QueryHouse) -> float:
    return house.count("flick_query_exports")


@asynccontextmanager
async def _patient_house(
    postgres: DatabaseServer, database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[QueryHouse]:
    """Query whose statements wait for a minute, so that nothing but a cancellation ends them."""
    monkeypatch.setattr("services.query.__main__.LOCK_TIMEOUT_S", 60.0)
    monkeypatch.setattr("services.query.__main__.STATEMENT_TIMEOUT_S", 60.0)
    async with query_house(
        database_url=postgres.url(database=database, role="flick_query"),
        owner_url=postgres.url(database=database),
        redis_url=redis_url,
    ) as house:
        yield house


async def test_when_the_caller_leaves_postgresql_stops_reading(
    postgres: DatabaseServer, telemetry_database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _patient_house(postgres, telemetry_database, redis_url, monkeypatch) as house:
        server_id = await house.server()
        await _store(house, server_id, 100)
        watcher = await asyncpg.connect(
            postgres.url(database=telemetry_database, role="flick_query")
        )  # may see its own
        count = watcher.fetchval
        try:
            async with house.telemetry.connection.transaction():
                await house.telemetry.connection.execute("lock table telemetry.sealed_metrics in access exclusive mode")
                call = house.query.ExportMetrics(_request(server_id, CPU), metadata=house.metadata)
                assert isinstance(await call.read(), HttpBody), "the head needs no table"
                assert await eventually(lambda: count(WAITING), bool, within_s=5, every_s=0.01)

                call.cancel()
                assert await eventually(lambda: count(BUSY), lambda busy: not busy, within_s=5, every_s=0.01) == 0
                assert await eventually(lambda: _exports(house), lambda left: not left, within_s=5, every_s=0.01) == 0
        finally:
            await watcher.close()

"""The delivery of a server's samples, compared with what Python computes from the same rows."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flick.clock import SystemClock
from flick.db.pool import open_pool
from flick.errors import FlickError, Kind
from flick.ids import new_id
from flick.v1 import delivery_pb2, ingest_pb2
from services.query.answers.delivery import Delivery
from services.query.answers.gate import Gate
from services.query.deliveries import Deliveries
from services.query.reading.samples import Samples
from services.query.rules.catalog import Catalog
from tests.databases import DatabaseServer
from tests.integration.query.house import SECOND_US, QueryHouse, refusal
from tests.integration.query.rows import EPOCH, ORGANIZATION
from tests.integration.query.telemetry import sample

HOUR = timedelta(hours=1)
BEGIN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 5 * HOUR


async def _ask(
    house: QueryHouse, server_id: str, start: datetime | None = None, end: datetime | None = None
) -> delivery_pb2.GetServerDeliveryResponse:
    request = delivery_pb2.GetServerDeliveryRequest(server_id=server_id)
    if start is not None:
        request.start_time.FromDatetime(start)
    if end is not None:
        request.end_time.FromDatetime(end)
    answer: delivery_pb2.GetServerDeliveryResponse = await house.query.GetServerDelivery(
        request, metadata=house.metadata
    )
    return answer


async def _store(house: QueryHouse, server_id: str, lags: list[timedelta], *, begin: datetime = BEGIN) -> None:
    microsecond = timedelta(microseconds=1)
    begin_us = (begin - EPOCH) // microsecond
    samples = [sample(begin_us + number * SECOND_US) for number in range(len(lags))]
    await house.telemetry.store(server_id, samples, lags_us=[one // microsecond for one in lags])


async def _insert(house: QueryHouse, table: str, **values: Any) -> None:
    row = {"organization_id": ORGANIZATION, **values}
    await house.telemetry.connection.copy_records_to_table(
        table, schema_name="telemetry", columns=list(row), records=[tuple(row.values())]
    )


async def test_of_a_server_that_never_sent_there_is_nothing(house: QueryHouse) -> None:
    answer = await _ask(house, await house.server(), BEGIN, BEGIN + HOUR)
    expected = delivery_pb2.GetServerDeliveryResponse()
    expected.start_time.FromDatetime(BEGIN)
    expected.end_time.FromDatetime(BEGIN + HOUR)

    assert answer == expected


@pytest.mark.usefixtures("lying")
@pytest.mark.parametrize("count", [1, 2, 3, 99, 100, 101, 1000])
async def test_lag_is_that_of_the_samples_of_the_span(house: QueryHouse, count: int) -> None:
    server_id, rng = await house.server(), random.Random(count)
    lags = [timedelta(microseconds=rng.randint(-5_000_000, 90_000_000)) for _ in range(count)]
    await _store(house, server_id, lags)
    await _store(house, server_id, [timedelta(days=1)] * 5, begin=BEGIN - timedelta(seconds=5))
    await _store(house, server_id, [timedelta(days=1)] * 5, begin=BEGIN + HOUR)
    answer = await _ask(house, server_id, BEGIN, BEGIN + HOUR)
    ranked = sorted(lags)

    assert (answer.committed_count, answer.received_count) == (count, count)
    assert answer.lag.p50.ToTimedelta() == ranked[-(-count * 50 // 100) - 1]
    assert answer.lag.p99.ToTimedelta() == ranked[-(-count * 99 // 100) - 1]
    assert answer.lag.max.ToTimedelta() == ranked[-1]


@pytest.mark.usefixtures("lying")
async def test_outcomes_are_added_up_over_the_hours_of_the_span(house: QueryHouse) -> None:
    server_id, other = await house.server(), await house.server()
    await _store(house, server_id, [timedelta(seconds=1)] * 10)
    future, layout = ingest_pb2.REJECTION_REASON_FUTURE, ingest_pb2.REJECTION_REASON_LAYOUT
    series = ingest_pb2.OVERFLOW_KIND_SERIES
    for hour, outcome, reason, count in [
        (-1, "duplicate", 0, 1000),
        (0, "duplicate", 0, 1),
        (1, "duplicate", 0, 2),
        (2, "duplicate", 0, 1000),
        (0, "conflict", 0, 4),
        (0, "rejected", future, 8),
        (1, "rejected", future, 16),
        (1, "rejected", layout, 32),
        (1, "overflow", series, 2**40),
    ]:
        for one in (server_id, other):
            await _insert(
                house,
                "deliveries",
                server_id=one,
                hour=BEGIN + hour * HOUR,
                outcome=outcome,
                reason=reason,
                count=count,
            )
    answer = await _ask(house, server_id, BEGIN + timedelta(minutes=59), BEGIN + timedelta(minutes=61))

    assert (answer.start_time.ToDatetime(UTC), answer.end_time.ToDatetime(UTC)) == (BEGIN, BEGIN + 2 * HOUR)
    assert (answer.committed_count, answer.duplicate_count, answer.conflict_count) == (10, 3, 4)
    assert {one.reason: one.count for one in answer.rejected} == {future: 24, layout: 32}
    assert [(one.kind, one.count) for one in answer.overflowed] == [(series, 2**40)]
    assert answer.received_count == 10 + 3 + 4 + 24 + 32


async def test_gaps_that_touch_the_span_come_with_cause_and_span_the_newest_first(house: QueryHouse) -> None:
    server_id, minute = await house.server(), timedelta(minutes=1)
    spans = [
        (BEGIN - 2 * minute, BEGIN - minute),
        (BEGIN - minute, BEGIN + minute),
        (BEGIN + 2 * minute, BEGIN + 2 * minute),
        (BEGIN + 59 * minute, BEGIN + 3 * HOUR),
        (BEGIN + HOUR, BEGIN + 2 * HOUR),
    ]
    for number, (start, end) in enumerate(spans):
        await _insert(
            house,
            "gaps",
            server_id=server_id,
            start_time=start,
            end_time=end,
            reason=number,
            dropped_samples=number * 10,
            received_at=BEGIN + 4 * HOUR,
        )
    answer = await _ask(house, server_id, BEGIN, BEGIN + HOUR)

    assert [(one.reason, one.dropped_samples) for one in answer.gaps] == [(3, 30), (2, 20), (1, 10)]
    assert [(one.start_time.ToDatetime(UTC), one.end_time.ToDatetime(UTC)) for one in answer.gaps] == [
        spans[3],
        spans[2],
        spans[1],
    ]
    assert {one.received_time.ToDatetime(UTC) for one in answer.gaps} == {BEGIN + 4 * HOUR}
    assert answer.gap_count == 3


async def test_of_many_gaps_and_events_the_newest_100_are_listed(house: QueryHouse) -> None:
    server_id = await house.server()
    for number in range(130):
        start = BEGIN + number * timedelta(seconds=20)
        await _insert(
            house,
            "gaps",
            server_id=server_id,
            start_time=start,
            end_time=start,
            reason=1,
            dropped_samples=number,
            received_at=start,
        )
        await _insert(
            house,
            "delivery_events",
            server_id=server_id,
            time=start,
            kind=number + 1,
            reason=0,
            count=1,
            spool_id="",
            agent_version="",
            detail=str(number),
        )
    answer = await _ask(house, server_id, BEGIN, BEGIN + HOUR)
    newest = list(range(129, 29, -1))

    assert [one.dropped_samples for one in answer.gaps] == newest
    assert [one.detail for one in answer.events] == [str(number) for number in newest]
    assert answer.gap_count == 130


async def test_an_event_names_the_agents(house: QueryHouse) -> None:
    server_id = await house.server()
    await _insert(
        house,
        "delivery_events",
        server_id=server_id,
        time=BEGIN + timedelta(minutes=1),
        kind=delivery_pb2.DELIVERY_EVENT_KIND_SUPERSEDED,
        reason=0,
        count=7,
        spool_id="new",
        agent_version="2",
        former_spool_id="old",
        former_agent_version="1",
        detail="words",
    )
    (event,) = (await _ask(house, server_id, BEGIN, BEGIN + HOUR)).events

    assert (event.agent.spool_id, event.agent.version) == ("new", "2")
    assert (event.superseded.spool_id, event.superseded.version) == ("old", "1")
    assert (event.count, event.detail, event.time.ToDatetime(UTC)) == (7, "words", BEGIN + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("opened", "reported", "ended", "connected"),
    [
        ("1 s", None, None, True),
        ("1 h", "2 min", None, True),
        ("1 h", "4 min", None, False),
        ("1 s", None, "0 s", False),
    ],
    ids=["new", "reports", "silent", "ended"],
)
async def test_the_newest_stream_is_connected_while_it_is_heard_of(
    house: QueryHouse, opened: str, reported: str | None, ended: str | None, connected: bool
) -> None:
    server_id, stream_id, ingest_id = await house.server(), new_id(), new_id()
    spool = ingest_pb2.SpoolStatus(held_samples=3, taken_samples=2**63, degraded_reason="disk full")
    await house.telemetry.connection.execute(
        "insert into telemetry.streams (server_id, organization_id, stream_id, instance_id, spool_id, agent_version,"
        " opened_at, said_hello_at, clock_offset_s, spool, spool_at, ended_at, end_reason)"
        " select $1, $2, $3, $4, 'spool', '1.2', opened_at, opened_at, -12.5, $6, now() - $7::text::interval,"
        " now() - $8::text::interval, $9 from (select now() - $5::text::interval as opened_at) as opened",
        *(server_id, ORGANIZATION, stream_id, ingest_id, opened, spool.SerializeToString() if reported else None),
        *(reported, ended, "drained" if ended else None),
    )
    stream = (await _ask(house, server_id)).stream

    assert (stream.stream_id, stream.ingest_id, stream.connected) == (str(stream_id), str(ingest_id), connected)
    assert (stream.agent.spool_id, stream.agent.version) == ("spool", "1.2")
    assert stream.clock_offset.ToTimedelta() == timedelta(seconds=-12.5)
    assert (stream.HasField("end_time"), stream.end_reason) == (bool(ended), "drained" if ended else "")
    assert stream.HasField("spool") == stream.HasField("spool_time") == bool(reported)
    assert not reported or stream.spool == spool


@pytest.mark.usefixtures("lying")
async def test_unset_the_span_is_the_last_hour(house: QueryHouse) -> None:
    server_id = await house.server()
    now = datetime.now(UTC)
    await _store(house, server_id, [timedelta(0)], begin=now - timedelta(minutes=59))
    answer = await _ask(house, server_id)

    assert answer.committed_count == 1
    assert answer.start_time.ToDatetime(UTC) <= now - HOUR
    assert HOUR <= answer.end_time.ToDatetime(UTC) - answer.start_time.ToDatetime(UTC) <= 2 * HOUR


async def test_more_than_31_days_are_refused(house: QueryHouse) -> None:
    error = await refusal(_ask(house, await house.server(), BEGIN - timedelta(days=31, seconds=1), BEGIN))

    assert error.kind is Kind.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == ["start_time"]
    assert "31 days" in error.public


@pytest.mark.usefixtures("lying")
async def test_a_foreign_server_answers_as_an_unknown_one(house: QueryHouse) -> None:
    foreign = house.auth.server(organization_id=str(new_id()))
    await _store(house, foreign, [timedelta(0)])
    errors = [await refusal(_ask(house, one, BEGIN, BEGIN + HOUR)) for one in (foreign, str(new_id()))]

    assert [one.kind for one in errors] == [Kind.NOT_FOUND] * 2
    assert (errors[0].public, errors[0].reason) == (errors[1].public, errors[1].reason)


async def test_a_delivery_that_takes_too_long_to_read_is_answered_with_advice(
    house: QueryHouse, postgres: DatabaseServer, telemetry_database: str
) -> None:
    gate = Gate(at_once=1, waiting=0, on_refused=lambda: None)
    url = postgres.url(database=telemetry_database, role="flick_query")
    async with open_pool(url, application_name="test", statement_timeout_s=0.2) as pool:
        delivery = Delivery(
            deliveries=Deliveries(pool=pool, samples=Samples(catalog=Catalog.from_contract())),
            gate=gate,
            clock=SystemClock(),
        )
        async with house.telemetry.connection.transaction():
            await house.telemetry.connection.execute("lock table telemetry.deliveries in access exclusive mode")
            with pytest.raises(FlickError) as caught:
                await delivery.query(server_id=str(new_id()), start_us=None, end_us=None)

    assert caught.value.kind is Kind.DEADLINE_EXCEEDED
    assert "shorter span" in caught.value.public

"""Where a chart has nothing to show, and why."""

from datetime import timedelta

import pytest

from flick.v1 import ingest_pb2, query_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us
from tests.integration.query.rows import EPOCH, ORGANIZATION
from tests.integration.query.telemetry import sample

HOUR_US = 3600 * SECOND_US
BEGIN_US = now_us() // HOUR_US * HOUR_US - 30 * HOUR_US
STOPPED, FULL = ingest_pb2.GAP_REASON_AGENT_STOPPED, ingest_pb2.GAP_REASON_SPOOL_FULL
NOBODY_TOLD = ingest_pb2.GAP_REASON_UNSPECIFIED
Told = tuple[int, int, int]


async def _store(house: QueryHouse, server_id: str, *seconds: range) -> None:
    samples = [sample(BEGIN_US + second * SECOND_US, {1: 0.5}) for part in seconds for second in part]
    await house.telemetry.store(server_id, samples)


async def _tell(house: QueryHouse, server_id: str, begin: int, end: int, reason: int) -> None:
    moments = [EPOCH + timedelta(microseconds=BEGIN_US + second * SECOND_US) for second in (begin, end)]
    await house.telemetry.connection.execute(
        "insert into telemetry.gaps values ($1, $2, $3, $4, $5, 0, now())", server_id, ORGANIZATION, *moments, reason
    )


async def _ask(house: QueryHouse, server_id: str, begin: int, end: int) -> tuple[list[Told], bool]:
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=["system.cpu.utilization"], max_points=5000)
    request.start_time.FromMicroseconds(BEGIN_US + begin * SECOND_US)
    request.end_time.FromMicroseconds(BEGIN_US + end * SECOND_US)
    answer = await house.query.QueryMetrics(request, metadata=house.metadata)
    told = [
        (_second(one.start_time.ToMicroseconds()), _second(one.end_time.ToMicroseconds()), int(one.reason))
        for one in answer.gaps
    ]
    return told, answer.gaps_left_out


def _second(moment_us: int) -> int:
    return (moment_us - BEGIN_US) // SECOND_US


@pytest.mark.usefixtures("lying")
async def test_missing_samples_are_a_gap_that_nobody_explained(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, range(0, 3000, 5), range(4000, 9000, 5))

    assert await _ask(house, server_id, 0, 9000) == ([(3000, 4000, NOBODY_TOLD)], False)


@pytest.mark.usefixtures("lying")
async def test_a_gap_of_which_the_agent_told_has_its_reason(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, range(0, 3000, 5), range(6000, 9000, 5))
    await _tell(house, server_id, 3000, 4000, STOPPED)
    await _tell(house, server_id, 5000, 6000, FULL)

    assert await _ask(house, server_id, 0, 9000) == (
        [(3000, 4000, STOPPED), (4000, 5000, NOBODY_TOLD), (5000, 6000, FULL)],
        False,
    )


@pytest.mark.usefixtures("lying")
async def test_a_gap_that_begins_before_the_span_and_ends_after_it_is_clipped(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, range(0, 3000, 5), range(6000, 9000, 5))

    assert await _ask(house, server_id, 3500, 5500) == ([(3500, 5500, NOBODY_TOLD)], False)
    assert await _ask(house, server_id, 2998, 3005) == ([(3000, 3005, NOBODY_TOLD)], False)
    assert await _ask(house, server_id, 5990, 6005) == ([(5990, 6000, NOBODY_TOLD)], False)


@pytest.mark.usefixtures("lying")
async def test_before_its_first_sample_a_server_misses_none(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, range(3000, 6000, 5))

    assert await _ask(house, server_id, 0, 6000) == ([], False)
    assert await _ask(house, server_id, 0, 7000) == ([(6000, 7000, NOBODY_TOLD)], False)
    assert await _ask(house, await house.server(), 0, 7000) == ([], False)


async def test_what_has_not_come_yet_is_no_gap(house: QueryHouse) -> None:
    server_id = await house.server()
    now = now_us()
    await house.telemetry.store(server_id, [sample(now - number * 5 * SECOND_US, {1: 0.5}) for number in range(100)])

    assert await _ask(house, server_id, _second(now) - 300, _second(now) + 3600) == ([], False)


async def test_samples_taken_more_rarely_before_the_interval_was_changed_leave_no_gaps(house: QueryHouse) -> None:
    server_id = await house.server(interval_s=5)
    await _store(house, server_id, range(0, 3600, 60))

    assert await _ask(house, server_id, 600, 3600) == ([], False)


async def test_of_more_gaps_than_an_answer_tells_the_longest_are_told(house: QueryHouse) -> None:
    server_id = await house.server()
    for number in range(201):
        await _tell(house, server_id, number * 10, number * 10 + (1 if number == 100 else 2), FULL)

    told, left_out = await _ask(house, server_id, 0, 3000)
    assert left_out
    assert [begin for begin, _, _ in told] == [number * 10 for number in range(201) if number != 100]

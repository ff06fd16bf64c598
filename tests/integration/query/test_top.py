"""What took the most of a server over a span, wherever the snapshots lie."""

import pytest

from flick.errors import Kind
from flick.v1 import query_pb2
from services.query.rules import top
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal
from tests.integration.query.telemetry import Lying
from tests.unit.query.test_top import packed

HOUR_US = 3600 * SECOND_US
BEGIN_US = now_us() // HOUR_US * HOUR_US - 10 * HOUR_US
COUNT = 1500  # two hours and a bit, so that hours are cut


async def _store(house: QueryHouse, server_id: str) -> None:
    """`steady` is in every snapshot, `spike` in every tenth, `first` in the very first only."""
    snapshots = {}
    for number in range(COUNT):
        processes = [("steady", 1.0, 1000 + number)]
        processes += [("spike", 3.0, 10)] if number % 10 == 5 else []
        processes += [("first", 90.0, 10**9)] if not number else []
        snapshots[BEGIN_US + number * 5 * SECOND_US] = packed(*processes)
    await house.telemetry.store_processes(server_id, snapshots)


def _request(server_id: str, begin: int = 0, end: int = COUNT, **fields: int) -> query_pb2.ListTopProcessesRequest:
    request = query_pb2.ListTopProcessesRequest(server_id=server_id, **fields)  # type: ignore[arg-type]
    request.start_time.FromMicroseconds(BEGIN_US + begin * 5 * SECOND_US)
    request.end_time.FromMicroseconds(BEGIN_US + end * 5 * SECOND_US)
    return request


@pytest.mark.usefixtures("lying")
async def test_every_snapshot_of_the_span_counts_once(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id)

    answer = await house.query.ListTopProcesses(_request(server_id, 1, 1201), metadata=house.metadata)

    assert answer.snapshot_count == 1200
    assert [(one.name, one.snapshot_count) for one in answer.processes] == [("steady", 1200), ("spike", 120)]
    assert answer.processes[0].memory_rss_average == pytest.approx(1000 + 600.5)
    assert answer.processes[0].memory_rss_maximum == 2200
    assert answer.processes[1].cpu_utilization_average == 3.0
    assert not answer.incomplete


@pytest.mark.usefixtures("lying")
async def test_memory_orders_and_a_limit_cuts(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id)
    by_memory = query_pb2.PROCESS_ORDER_MEMORY

    answer = await house.query.ListTopProcesses(
        _request(server_id, order_by=by_memory, limit=1), metadata=house.metadata
    )

    assert [one.name for one in answer.processes] == ["first"]


async def test_a_span_without_snapshots_has_no_processes(house: QueryHouse) -> None:
    answer = await house.query.ListTopProcesses(_request(await house.server()), metadata=house.metadata)

    assert (answer.snapshot_count, len(answer.processes)) == (0, 0)


async def test_more_snapshots_than_one_call_reads_are_refused_with_advice(
    house: QueryHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.telemetry.lying = Lying.IN_HOURS
    server_id = await house.server()
    await _store(house, server_id)
    house.telemetry.lying = Lying.IN_ROWS
    monkeypatch.setattr("services.query.answers.top.MAX_SNAPSHOTS", COUNT - 1)
    error = await refusal(house.query.ListTopProcesses(_request(server_id), metadata=house.metadata))

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, ["start_time"])
    assert "ask for about 2 hours" in error.public
    assert top.MAX_SNAPSHOTS >= 5 * 86_400 // 5, "the contract"


@pytest.mark.parametrize(
    ("fields", "field"), [({"limit": 201}, "limit"), ({"order_by": 7}, "order_by"), ({"end": 0}, "start_time")]
)
async def test_a_question_that_makes_no_sense_is_refused(house: QueryHouse, fields: dict[str, int], field: str) -> None:
    request = _request(await house.server(), **fields)
    error = await refusal(house.query.ListTopProcesses(request, metadata=house.metadata))

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, [field])


async def test_a_foreign_server_is_not_found(house: QueryHouse) -> None:
    foreign = house.auth.server(organization_id="0199a0f0-0000-7000-8000-000000000000")
    error = await refusal(house.query.ListTopProcesses(_request(foreign), metadata=house.metadata))

    assert error.kind is Kind.NOT_FOUND

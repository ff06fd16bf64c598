"""The history of several servers in one call, each by itself and combined."""

import pytest

from flick.errors import Kind
from flick.v1 import catalog_pb2, query_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal
from tests.integration.query.telemetry import sample

CPU, CORES = "system.cpu.utilization", "system.cpu.core.utilization"
NUMBER_CPU, NUMBER_CORE = catalog_pb2.METRIC_CPU_UTILIZATION, catalog_pb2.METRIC_CPU_CORE_UTILIZATION
DAY_US = 86_400 * SECOND_US
BEGIN_US = now_us() // DAY_US * DAY_US - 2 * DAY_US


async def _servers(house: QueryHouse, count: int, samples: int) -> list[str]:
    """Servers of which number n uses n processors of its core 0 and 10 n of core 1, and n / 8 in all."""
    server_ids = []
    for number in range(1, count + 1):
        server_id = await house.server()
        layout_id = await house.telemetry.layout(server_id, (NUMBER_CORE, ["0"]), (NUMBER_CORE, ["1"]))
        cores = [number, 10 * number]
        found = [
            sample(BEGIN_US + one * 5 * SECOND_US, {NUMBER_CPU: number / 8}, layout_id=layout_id, labelled=cores)
            for one in range(samples)
        ]
        await house.telemetry.store(server_id, found)
        server_ids.append(server_id)
    return server_ids


def _request(
    server_ids: list[str], *names: str, seconds: int = 600, **fields: object
) -> query_pb2.QueryFleetMetricsRequest:
    request = query_pb2.QueryFleetMetricsRequest(server_ids=server_ids, names=names, **fields)  # type: ignore[arg-type]
    request.start_time.FromMicroseconds(BEGIN_US)
    request.end_time.FromMicroseconds(BEGIN_US + seconds * SECOND_US)
    return request


@pytest.mark.usefixtures("lying")
async def test_each_servers_series_stand_by_themselves(house: QueryHouse) -> None:
    server_ids = await _servers(house, 3, 100)
    asked = [server_ids[2], server_ids[0], server_ids[1]]

    answer = await house.query.QueryFleetMetrics(_request(asked, CPU, CORES), metadata=house.metadata)

    assert not answer.HasField("step")
    assert [one.server_id for one in answer.series] == [one for one in asked for _ in range(3)]
    assert [set(one.series.values) for one in answer.series[:3]] == [{3 / 8}, {3.0}, {30.0}]
    assert {len(one.series.times) for one in answer.series} == {100}


@pytest.mark.usefixtures("lying")
async def test_series_of_the_same_labels_are_combined_over_the_servers(house: QueryHouse) -> None:
    server_ids = await _servers(house, 3, 100)
    request = _request(server_ids, CORES, CPU, aggregation=query_pb2.FLEET_AGGREGATION_SUM)

    answer = await house.query.QueryFleetMetrics(request, metadata=house.metadata)

    assert answer.step.ToMicroseconds() == 5 * SECOND_US
    found = [(one.server_id, one.series.name, dict(one.series.labels), set(one.series.values)) for one in answer.series]
    assert found == [
        ("", CORES, {"cpu.logical_number": "0"}, {6.0}),
        ("", CORES, {"cpu.logical_number": "1"}, {60.0}),
        ("", CPU, {}, {6 / 8}),
    ]
    assert {len(one.series.times) for one in answer.series} == {100}


@pytest.mark.usefixtures("lying")
async def test_quantiles_over_servers_are_a_series_each(house: QueryHouse) -> None:
    server_ids = await _servers(house, 4, 700)
    request = _request(
        server_ids,
        CPU,
        seconds=3500,
        max_points=10,
        aggregation=query_pb2.FLEET_AGGREGATION_QUANTILES,
        quantiles=[0.5, 1.0],
    )

    answer = await house.query.QueryFleetMetrics(request, metadata=house.metadata)

    assert answer.step.ToMicroseconds() == 600 * SECOND_US
    assert [(one.quantile, set(one.series.values)) for one in answer.series] == [(0.5, {2.5 / 8}), (1.0, {4 / 8})]


@pytest.mark.usefixtures("lying")
async def test_only_series_with_the_labels_asked_for_are_shown(house: QueryHouse) -> None:
    server_ids = await _servers(house, 2, 10)
    request = _request(server_ids, CPU, CORES, labels={"cpu.logical_number": "1"})

    answer = await house.query.QueryFleetMetrics(request, metadata=house.metadata)

    assert [set(one.series.values) for one in answer.series] == [{10.0}, {20.0}]


async def test_a_server_without_samples_does_not_spoil_the_rest(house: QueryHouse) -> None:
    server_ids = [*await _servers(house, 2, 100), await house.server()]
    request = _request(server_ids, CPU, aggregation=query_pb2.FLEET_AGGREGATION_COUNT)

    answer = await house.query.QueryFleetMetrics(request, metadata=house.metadata)

    assert [set(one.series.values) for one in answer.series] == [{2.0}]


async def test_one_foreign_server_refuses_the_whole_call(house: QueryHouse) -> None:
    foreign = house.auth.server(organization_id="0199a0f0-0000-7000-8000-000000000000")
    request = _request([*await _servers(house, 1, 1), foreign], CPU)

    assert (await refusal(house.query.QueryFleetMetrics(request, metadata=house.metadata))).kind is Kind.NOT_FOUND


async def test_more_servers_than_one_call_reads_are_refused(house: QueryHouse) -> None:
    server_ids = [house.auth.server(organization_id=house.organization_id) for _ in range(101)]
    await house.knows(server_ids[-1], house.metadata)
    error = await refusal(house.query.QueryFleetMetrics(_request(server_ids, CPU), metadata=house.metadata))

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, ["server_ids"])


@pytest.mark.parametrize(
    ("names", "fields", "field"),
    [
        ([], {}, "names"),
        (["no.such.metric"], {}, "names"),
        ([CPU], {"max_points": 5001}, "max_points"),
        ([CPU], {"labels": {"cpu.logical_number": "0"}}, "labels"),
        ([CPU], {"aggregation": query_pb2.FLEET_AGGREGATION_QUANTILES}, "quantiles"),
        ([CPU], {"aggregation": 99}, "aggregation"),
        ([CPU], {"seconds": -1}, "start_time"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    house: QueryHouse, names: list[str], fields: dict[str, object], field: str
) -> None:
    request = _request([await house.server()], *names, **fields)  # type: ignore[arg-type]
    error = await refusal(house.query.QueryFleetMetrics(request, metadata=house.metadata))

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, [field])

"""The present beside what was a day or a week before."""

import pytest

from flick.errors import Kind
from flick.v1 import catalog_pb2, query_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal
from tests.integration.query.telemetry import sample

CPU, CORES = "system.cpu.utilization", "system.cpu.core.utilization"
NUMBER_CPU, NUMBER_CORE = catalog_pb2.METRIC_CPU_UTILIZATION, catalog_pb2.METRIC_CPU_CORE_UTILIZATION
DAY_US = 86_400 * SECOND_US
BEGIN_US = now_us() // DAY_US * DAY_US - 3 * DAY_US
EVERY_US = 5 * SECOND_US


async def _store(house: QueryHouse, server_id: str, begin_us: int, values: list[float]) -> None:
    samples = [sample(begin_us + place * EVERY_US, {NUMBER_CPU: value}) for place, value in enumerate(values)]
    await house.telemetry.store(server_id, samples)


def _request(server_id: str, offset_us: int, *, count: int = 100, max_points: int = 0) -> query_pb2.QueryMetricsRequest:
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=[CPU], max_points=max_points)
    request.start_time.FromMicroseconds(BEGIN_US)
    request.end_time.FromMicroseconds(BEGIN_US + count * EVERY_US)
    request.compare_offset.FromMicroseconds(offset_us)
    return request


@pytest.mark.usefixtures("lying")
async def test_what_was_a_day_before_stands_at_the_present_times(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, BEGIN_US, [1.0] * 100)
    await _store(house, server_id, BEGIN_US - DAY_US, [2.0] * 100)

    answer = await house.query.QueryMetrics(_request(server_id, DAY_US), metadata=house.metadata)

    assert answer.compare_offset.ToMicroseconds() == DAY_US
    assert not answer.HasField("step")
    (present,), (earlier,) = answer.series, answer.earlier_series
    assert list(present.times) == list(earlier.times)
    assert (set(present.values), set(earlier.values)) == ({1.0}, {2.0})
    assert earlier.name == present.name


@pytest.mark.usefixtures("lying")
async def test_earlier_steps_stand_on_the_grid_of_the_present_ones(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, BEGIN_US, [1.0] * 1000)
    await _store(house, server_id, BEGIN_US - DAY_US, [float(number) for number in range(1000)])
    odd_us = DAY_US + 100 * SECOND_US

    answer = await house.query.QueryMetrics(
        _request(server_id, odd_us, count=1000, max_points=20), metadata=house.metadata
    )

    assert answer.step.ToMicroseconds() == 300 * SECOND_US
    assert answer.compare_offset.ToMicroseconds() == DAY_US, "rounded to whole steps"
    (present,), (earlier,) = answer.series, answer.earlier_series
    assert list(present.times) == list(earlier.times)
    assert list(earlier.values[:2]) == [29.5, 89.5]
    assert list(earlier.maxima[:2]) == [59.0, 119.0]


async def test_many_samples_earlier_put_few_present_ones_into_steps(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, BEGIN_US, [1.0])
    await _store(house, server_id, BEGIN_US - DAY_US, [2.0] * 1000)

    answer = await house.query.QueryMetrics(_request(server_id, DAY_US, count=1000), metadata=house.metadata)

    assert answer.step.ToMicroseconds() == 10 * SECOND_US
    assert [len(one.times) for one in (*answer.series, *answer.earlier_series)] == [1, 500]


@pytest.mark.usefixtures("lying")
async def test_a_series_that_was_there_only_earlier_is_shown(house: QueryHouse) -> None:
    server_id = await house.server()
    layout_id = await house.telemetry.layout(server_id, (NUMBER_CORE, ["9"]))
    earlier = [sample(BEGIN_US - DAY_US, {NUMBER_CPU: 0.5}, layout_id=layout_id, labelled=[0.5])]
    await house.telemetry.store(server_id, [*earlier, sample(BEGIN_US, {NUMBER_CPU: 0.25})])
    request = _request(server_id, DAY_US)
    request.names[:] = [CORES]

    answer = await house.query.QueryMetrics(request, metadata=house.metadata)

    assert not answer.series
    assert [dict(one.labels) for one in answer.earlier_series] == [{"cpu.logical_number": "9"}]


async def test_without_an_offset_nothing_earlier_is_told(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, BEGIN_US, [1.0])
    request = _request(server_id, 1)
    request.ClearField("compare_offset")

    answer = await house.query.QueryMetrics(request, metadata=house.metadata)

    assert not answer.earlier_series
    assert not answer.HasField("compare_offset")


@pytest.mark.usefixtures("lying")
async def test_servers_combined_are_compared_with_themselves_combined(house: QueryHouse) -> None:
    server_ids = [await house.server() for _ in range(2)]
    for number, server_id in enumerate(server_ids, start=1):
        await _store(house, server_id, BEGIN_US, [float(number)] * 50)
        await _store(house, server_id, BEGIN_US - 7 * DAY_US, [10.0 * number] * 50)
    request = query_pb2.QueryFleetMetricsRequest(
        server_ids=server_ids, names=[CPU], aggregation=query_pb2.FLEET_AGGREGATION_SUM
    )
    request.start_time.FromMicroseconds(BEGIN_US)
    request.end_time.FromMicroseconds(BEGIN_US + 100 * EVERY_US)
    request.compare_offset.FromSeconds(7 * 86_400)

    answer = await house.query.QueryFleetMetrics(request, metadata=house.metadata)

    assert [set(one.series.values) for one in answer.series] == [{3.0}]
    assert [set(one.series.values) for one in answer.earlier_series] == [{30.0}]
    assert list(answer.series[0].series.times) == list(answer.earlier_series[0].series.times)
    assert answer.compare_offset.ToSeconds() == 7 * 86_400


@pytest.mark.parametrize("offset_us", [0, -SECOND_US, 3661 * DAY_US])
async def test_an_offset_that_makes_no_sense_is_refused(house: QueryHouse, offset_us: int) -> None:
    error = await refusal(house.query.QueryMetrics(_request(await house.server(), offset_us), metadata=house.metadata))

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, ["compare_offset"])

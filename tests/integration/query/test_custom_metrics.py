"""Custom metrics are asked for like any other, whether an agent measured them or somebody pushed them."""

from uuid import UUID

import pytest

from flick.errors import Kind
from flick.ids import pushed_source
from flick.v1 import catalog_pb2, options_pb2, query_pb2, telemetry_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal, watching
from tests.integration.query.rows import ORGANIZATION
from tests.integration.query.telemetry import Lying, sample, store_layout

GAUGE = options_pb2.METRIC_KIND_GAUGE
CPU = catalog_pb2.METRIC_CPU_UTILIZATION
HOUR_US = 3600 * SECOND_US


def _metric(name: str, *keys: str, unit: str = "") -> telemetry_pb2.CustomMetric:
    return telemetry_pb2.CustomMetric(name=name, unit=unit, kind=GAUGE, description=f"Tells {name}.", label_keys=keys)


async def _layout(house: QueryHouse, source: str, *series: tuple[telemetry_pb2.CustomMetric, list[str]]) -> int:
    """Store a layout of custom metrics and their descriptions, as ingest does."""
    layout = telemetry_pb2.Layout(
        custom_metrics=[metric for metric, _ in series],
        series=[
            telemetry_pb2.Series(custom_metric=place, label_values=labels)
            for place, (_, labels) in enumerate(series, start=1)
        ],
    )
    for metric, _ in series:
        await house.telemetry.connection.execute(
            "insert into telemetry.custom_metrics"
            " (server_id, organization_id, name, unit, kind, description, label_keys)"
            " values ($1, $2, $3, $4, $5, $6, $7)"
            " on conflict do nothing",
            source,
            ORGANIZATION,
            metric.name,
            metric.unit,
            metric.kind,
            metric.description,
            list(metric.label_keys),
        )
    return await store_layout(house.telemetry.connection, source, layout)


def _pushed(server_id: str) -> str:
    return str(pushed_source(UUID(server_id)))


async def _both(house: QueryHouse, server_id: str, start_us: int) -> None:
    """An agent that measures a queue every 10 s, and pushes of the same metric with another label in between."""
    agents = await _layout(house, server_id, (_metric("queue_length", "queue"), ["in"]))
    pushes = await _layout(house, _pushed(server_id), (_metric("queue_length", "queue"), ["out"]))
    samples = [
        sample(start_us + 10 * SECOND_US * number, {CPU: 0.5}, layout_id=agents, labelled=[number])
        for number in range(6)
    ]
    await house.telemetry.store(server_id, samples)
    pushed = [
        sample(start_us + (10 * number + 3) * SECOND_US, layout_id=pushes, labelled=[100 + number])
        for number in range(6)
    ]
    await house.telemetry.store(_pushed(server_id), pushed)


@pytest.mark.parametrize("lying", [Lying.IN_ROWS, Lying.IN_HOURS])
async def test_history_has_what_the_agent_measured_and_what_was_pushed(house: QueryHouse, lying: Lying) -> None:
    server_id, start_us = await house.server(), now_us() // HOUR_US * HOUR_US - 3 * HOUR_US
    house.telemetry.lying = lying
    try:
        await _both(house, server_id, start_us)
    finally:
        house.telemetry.lying = Lying.IN_ROWS
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=["queue_length", "system.cpu.utilization"])
    request.start_time.FromMicroseconds(start_us)
    request.end_time.FromMicroseconds(start_us + 60 * SECOND_US)
    answer = await house.query.QueryMetrics(request, metadata=house.metadata)
    found = {one.labels["queue"]: one for one in answer.series if one.name == "queue_length"}

    assert found["in"].values == [0, 1, 2, 3, 4, 5]
    assert found["out"].values == [100, 101, 102, 103, 104, 105]
    assert [time - start_us / SECOND_US for time in found["out"].times] == [3, 13, 23, 33, 43, 53]
    assert len(answer.series) == 3


async def test_steps_and_servers_are_combined_as_with_any_metric(house: QueryHouse) -> None:
    servers, start_us = [await house.server(), await house.server()], now_us() // HOUR_US * HOUR_US - 3 * HOUR_US
    for server_id in servers:
        await _both(house, server_id, start_us)
    request = query_pb2.QueryFleetMetricsRequest(
        server_ids=servers,
        names=["queue_length"],
        labels={"queue": "out"},
        max_points=10,
        aggregation=query_pb2.FLEET_AGGREGATION_SUM,
    )
    request.start_time.FromMicroseconds(start_us)
    request.end_time.FromMicroseconds(start_us + 60 * SECOND_US)
    answer = await house.query.QueryFleetMetrics(request, metadata=house.metadata)
    (series,) = (one.series for one in answer.series)

    assert answer.step.ToSeconds() == 10
    assert series.values == [200, 202, 204, 206, 208, 210]


async def test_all_changes_are_those_of_custom_metrics_too(house: QueryHouse) -> None:
    server_id, start_us = await house.server(), now_us() - 100 * SECOND_US
    layout_id = await _layout(house, _pushed(server_id), (_metric("parcels"), []))
    values = [1, 1, 1, 1, 1, 1, 50, 50, 50, 50, 50, 50]
    pushed = [
        sample(start_us + 5 * number * SECOND_US, layout_id=layout_id, labelled=[value])
        for number, value in enumerate(values)
    ]
    await house.telemetry.store(_pushed(server_id), pushed)
    request = query_pb2.QueryMetricChangesRequest(server_id=server_id)
    request.start_time.FromMicroseconds(start_us + 30 * SECOND_US)
    request.end_time.FromMicroseconds(start_us + 60 * SECOND_US)
    answer = await house.query.QueryMetricChanges(request, metadata=house.metadata)

    assert [(one.name, one.before.median, one.after.median) for one in answer.changes] == [("parcels", 1, 50)]


async def test_a_viewer_sees_pushes_beside_the_agents_samples_whatever_their_times(house: QueryHouse) -> None:
    server_id, time_us = await house.server(), now_us()
    layout_id = await _layout(house, _pushed(server_id), (_metric("parcels"), []))
    names = ("system.cpu.utilization", "parcels")
    async with watching(house, server_id, names=names) as viewer:
        await house.telemetry.publish(server_id, sample(time_us, {CPU: 0.1}))
        seen = [await viewer.value()]
        for later_us, value in ((7 * SECOND_US, 1.0), (-SECOND_US, 2.0)):
            pushed = sample(time_us + later_us, layout_id=layout_id, labelled=[value])
            await house.telemetry.publish(_pushed(server_id), pushed)
            seen.append(await viewer.value())
        await house.telemetry.publish(server_id, sample(time_us + 1, {CPU: 0.2}))
        seen.append(await viewer.value())

    assert seen == [(server_id, 0.1), (server_id, 1.0), (server_id, 2.0), (server_id, 0.2)]


async def test_the_catalogue_of_a_server_holds_its_own_metrics_only(house: QueryHouse) -> None:
    server_id, other = await house.server(), await house.server()
    await _layout(house, server_id, (_metric("queue_length", "queue", unit="{message}"), ["in"]))
    await _layout(house, _pushed(server_id), (_metric("parcels"), []))
    await _layout(house, other, (_metric("elsewhere"), []))
    request = query_pb2.ListServerMetricDescriptorsRequest(server_id=server_id)
    answer = await house.query.ListServerMetricDescriptors(request, metadata=house.metadata)
    custom = {one.name: one for one in answer.metrics if one.custom}

    assert list(custom) == ["parcels", "queue_length"]
    assert (custom["queue_length"].unit, list(custom["queue_length"].label_keys)) == ("{message}", ["queue"])
    assert "system.uptime" in {one.name for one in answer.metrics}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("queue_lenght", "the closest is 'queue_length'"),
        ("elsewhere", "no custom one that was ever sent"),
        ("x" * 201, "is no metric of the catalogue"),
    ],
)
async def test_a_name_that_the_server_does_not_have_is_refused(house: QueryHouse, name: str, words: str) -> None:
    server_id, other = await house.server(), await house.server()
    await _layout(house, server_id, (_metric("queue_length"), []))
    await _layout(house, other, (_metric("elsewhere"), []))
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=[name])
    error = await refusal(house.query.QueryMetrics(request, metadata=house.metadata))

    assert error.kind is Kind.INVALID_ARGUMENT
    assert words in error.public

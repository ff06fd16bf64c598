"""The newest values, whether Redis knows them, has outdated ones, or does not answer."""

import pytest

from flick.errors import Kind
from flick.v1 import catalog_pb2, query_pb2, telemetry_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal
from tests.integration.query.rows import NAN, Came
from tests.integration.query.sealed import seal
from tests.integration.query.telemetry import sample

CPU = catalog_pb2.METRIC_CPU_UTILIZATION
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
DAY_US = 86_400 * SECOND_US


async def _latest(house: QueryHouse, server_id: str, *names: str) -> query_pb2.GetLatestMetricsResponse:
    request = query_pb2.GetLatestMetricsRequest(server_id=server_id, names=names)
    return await house.query.GetLatestMetrics(request, metadata=house.metadata)


async def test_redis_answers_for_a_server_that_sends_in_time(house: QueryHouse) -> None:
    server_id, time_us = await house.server(), now_us()
    layout_id = await house.telemetry.layout(server_id, (CORE, ["0"]), (CORE, ["1"]))
    await house.telemetry.announce(server_id, sample(time_us, {CPU: 0.5}, layout_id=layout_id, labelled=[NAN, 0.25]))

    answer = await _latest(house, server_id)

    assert answer.time.ToMicroseconds() == time_us
    assert [(one.name, dict(one.labels), one.value) for one in answer.values] == [
        ("system.cpu.utilization", {}, 0.5),
        ("system.cpu.core.utilization", {"cpu.logical_number": "1"}, 0.25),
    ]


@pytest.mark.usefixtures("lying")
async def test_what_redis_does_not_have_comes_from_storage(house: QueryHouse) -> None:
    server_id, time_us = await house.server(), now_us()
    layout_id = await house.telemetry.layout(server_id, (CORE, ["0"]), (CORE, ["1"]))
    await house.telemetry.store(
        server_id,
        [
            sample(time_us - SECOND_US, {CPU: 0.1}),
            sample(time_us, {CPU: 0.5}, layout_id=layout_id, labelled=[0.25, NAN]),
        ],
    )

    answer = await _latest(house, server_id)

    assert answer.time.ToMicroseconds() == time_us
    assert [one.value for one in answer.values] == [0.5, 0.25]


@pytest.mark.usefixtures("lying")
async def test_an_outdated_sample_in_redis_gives_way_to_a_newer_one_in_storage(house: QueryHouse) -> None:
    server_id, time_us = await house.server(interval_s=5), now_us()
    await house.telemetry.announce(server_id, sample(time_us - 60 * SECOND_US, {CPU: 0.1}))
    await house.telemetry.store(server_id, [sample(time_us - 30 * SECOND_US, {CPU: 0.9})])

    answer = await _latest(house, server_id)

    assert [one.value for one in answer.values] == [0.9]


@pytest.mark.usefixtures("lying")
async def test_the_last_sample_of_a_server_that_fell_silent_long_ago_is_still_its_newest(house: QueryHouse) -> None:
    server_id = await house.server()
    await house.telemetry.store(server_id, [sample(now_us() - 29 * DAY_US, {CPU: 0.75})])

    answer = await _latest(house, server_id)

    assert [one.value for one in answer.values] == [0.75]


async def test_the_last_sample_of_a_silent_server_is_unpacked_once(house: QueryHouse) -> None:
    server_id = await house.server()
    await seal(house.telemetry.connection, server_id, [Came(sample(now_us() - 3 * DAY_US, {CPU: 0.75}))])
    first = await _latest(house, server_id)
    await house.telemetry.connection.execute(
        "update telemetry.sealed_metrics set core = 'nonsense' where server_id = $1", server_id
    )

    assert await _latest(house, server_id) == first


async def test_a_server_that_never_sent_has_neither_time_nor_values(house: QueryHouse) -> None:
    answer = await _latest(house, await house.server())

    assert not answer.HasField("time")
    assert not answer.values


async def test_only_the_metrics_asked_for_are_shown(house: QueryHouse) -> None:
    server_id = await house.server()
    await house.telemetry.announce(server_id, sample(now_us(), {CPU: 0.5, 2: 0.25, 25: 99.0}))

    answer = await _latest(house, server_id, "system.uptime")

    assert [(one.name, one.value) for one in answer.values] == [("system.uptime", 99.0)]


async def test_an_unknown_metric_is_refused_by_the_closest_name(house: QueryHouse) -> None:
    error = await refusal(_latest(house, await house.server(), "system.up"))

    assert error.kind is Kind.INVALID_ARGUMENT
    assert "'system.uptime'" in error.public


async def test_what_redis_has_and_can_not_be_read_is_counted_and_passed_over(house: QueryHouse) -> None:
    server_id = await house.server()
    await house.telemetry.bus.keep_newest("flick:live:latest", {server_id: b"\x09" + b"\xff" * 8 + b"\xff"})
    await house.telemetry.store(server_id, [sample(now_us(), {CPU: 0.5})])
    before = house.count("flick_query_redis_malformed_total", **{"from": "latest"})

    answer = await _latest(house, server_id)

    assert [one.value for one in answer.values] == [0.5]
    assert house.count("flick_query_redis_malformed_total", **{"from": "latest"}) == before + 1


async def test_the_catalogue_is_the_same_for_everybody_who_is_known(house: QueryHouse) -> None:
    request = query_pb2.ListMetricDescriptorsRequest()
    answer = await house.query.ListMetricDescriptors(request, metadata=house.metadata)
    error = await refusal(house.query.ListMetricDescriptors(request))

    assert "system.cpu.utilization" in [one.name for one in answer.metrics]
    assert error.kind is Kind.UNAUTHENTICATED


@pytest.mark.usefixtures("lying")
@pytest.mark.parametrize("age_s", [0, 1, 299, 300])
async def test_processes_are_those_of_the_last_snapshot_within_five_minutes(house: QueryHouse, age_s: int) -> None:
    server_id, time_us = await house.server(), now_us() - DAY_US
    await _store_snapshots(house, server_id, time_us)

    answer = await _processes(house, server_id, time_us + age_s * SECOND_US)

    assert answer.time.ToMicroseconds() == time_us
    assert [(one.pid, one.name) for one in answer.processes] == [(7, "busy"), (3, "idle")]


@pytest.mark.usefixtures("lying")
async def test_an_older_snapshot_is_not_shown(house: QueryHouse) -> None:
    server_id, time_us = await house.server(), now_us() - DAY_US
    await _store_snapshots(house, server_id, time_us)

    answer = await _processes(house, server_id, time_us + 300 * SECOND_US + 1)

    assert not answer.HasField("time")
    assert not answer.processes


@pytest.mark.usefixtures("lying")
async def test_without_a_time_the_processes_of_now_are_meant(house: QueryHouse) -> None:
    server_id, time_us = await house.server(), now_us() - SECOND_US
    await _store_snapshots(house, server_id, time_us)

    answer = await house.query.ListProcesses(
        query_pb2.ListProcessesRequest(server_id=server_id), metadata=house.metadata
    )

    assert answer.time.ToMicroseconds() == time_us


async def test_processes_of_an_impossible_time_are_refused(house: QueryHouse) -> None:
    error = await refusal(_processes(house, await house.server(), -5))

    assert error.kind is Kind.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == ["time"]


async def _processes(house: QueryHouse, server_id: str, time_us: int) -> query_pb2.ListProcessesResponse:
    request = query_pb2.ListProcessesRequest(server_id=server_id)
    request.time.FromMicroseconds(time_us)
    return await house.query.ListProcesses(request, metadata=house.metadata)


async def _store_snapshots(house: QueryHouse, server_id: str, time_us: int) -> None:
    """A snapshot at `time_us`, and one a minute before."""
    busy, idle = telemetry_pb2.Process(pid=7, name="busy"), telemetry_pb2.Process(pid=3, name="idle")
    moments = {time_us - 60 * SECOND_US: [idle], time_us: [busy, idle]}
    snapshots = {
        one: telemetry_pb2.ProcessSnapshot(processes=found).SerializeToString() for one, found in moments.items()
    }
    await house.telemetry.store_processes(server_id, snapshots)

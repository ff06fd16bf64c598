"""History out of a real TimescaleDB, compared with what Python computes from the same samples."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping

import pytest

from flick import columns
from flick.db.pool import open_pool
from flick.errors import Kind
from flick.v1 import catalog_pb2, options_pb2, query_pb2, telemetry_pb2
from services.ingest.intake.samples import CORE_COUNT
from services.query.layouts import Layouts
from tests.databases import DatabaseServer
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal
from tests.integration.query.rows import NAN, Came
from tests.integration.query.sealed import seal
from tests.integration.query.telemetry import sample
from tests.unit.ingest.rollups.brute import Measured, weights

CPU = "system.cpu.utilization"
MODES = "system.cpu.mode.utilization"
CORES = "system.cpu.core.utilization"
NUMBER_CPU = catalog_pb2.METRIC_CPU_UTILIZATION
NUMBER_USER = catalog_pb2.METRIC_CPU_UTILIZATION_USER
NUMBER_CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
NUMBER_INTERFACE = catalog_pb2.METRIC_INTERFACE_RECEIVE
DAY_US = 86_400 * SECOND_US
BEGIN_US = now_us() // DAY_US * DAY_US - 2 * DAY_US  # a whole day, so that the tests know the grid

Points = Mapping[float, float]


def _request(
    server_id: str, *names: str, start_us: int | None = None, end_us: int | None = None, max_points: int = 0
) -> query_pb2.QueryMetricsRequest:
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=names, max_points=max_points)
    if start_us is not None:
        request.start_time.FromMicroseconds(start_us)
    if end_us is not None:
        request.end_time.FromMicroseconds(end_us)
    return request


def _points(series: query_pb2.TimeSeries) -> Points:
    assert len(series.times) == len(series.values)
    return dict(zip(series.times, series.values, strict=True))


def _steps(
    points: Iterable[tuple[int, float]], step_us: int, *, times_us: Iterable[int]
) -> dict[float, tuple[float, float, float]]:
    """What a chart by steps shows of samples: average, minimum and maximum by the step's beginning in seconds.

    Averages are weighted by how long a sample stands for, by `times_us` of all samples of the server.
    """
    stands_for = weights([Measured(time_us, 0, []) for time_us in times_us])
    buckets: dict[float, list[tuple[float, int]]] = defaultdict(list)
    for time_us, value in points:
        if not math.isnan(value):
            buckets[time_us // step_us * step_us / SECOND_US].append((value, stands_for[time_us]))
    return {
        begin: (
            math.fsum(value * weight for value, weight in found) / sum(weight for _, weight in found),
            min(found)[0],
            max(found)[0],
        )
        for begin, found in sorted(buckets.items())
    }


def _assert_steps(series: query_pb2.TimeSeries, expected: Mapping[float, tuple[float, float, float]]) -> None:
    assert list(series.times) == list(expected)
    assert list(series.values) == pytest.approx([average for average, _, _ in expected.values()])
    assert list(series.minima) == [least for _, least, _ in expected.values()]
    assert list(series.maxima) == [greatest for _, _, greatest in expected.values()]


def _single(value: float) -> float:
    """The value as a float of four bytes keeps it."""
    return float(telemetry_pb2.Sample(labelled=[value]).labelled[0])


@pytest.mark.usefixtures("lying")
async def test_samples_that_fit_come_as_they_were_measured(house: QueryHouse) -> None:
    server_id = await house.server()
    times = [BEGIN_US + number * 5 * SECOND_US + 123_456 for number in range(100)]
    await house.telemetry.store(server_id, [sample(one, {NUMBER_CPU: one % 97 / 97}) for one in times])

    answer = await house.query.QueryMetrics(
        _request(server_id, CPU, start_us=times[10], end_us=times[90]), metadata=house.metadata
    )

    assert not answer.HasField("step")
    assert (answer.start_time.ToMicroseconds(), answer.end_time.ToMicroseconds()) == (times[10], times[90])
    (series,) = answer.series
    assert (series.name, series.unit, series.kind) == (CPU, "1", options_pb2.METRIC_KIND_GAUGE)
    assert _points(series) == {one / SECOND_US: one % 97 / 97 for one in times[10:90]}
    assert not series.minima
    assert not series.maxima


@pytest.mark.usefixtures("lying")
async def test_steps_show_average_minimum_and_maximum_of_the_samples_in_them(house: QueryHouse) -> None:
    server_id = await house.server()
    random.seed(7)
    times = [BEGIN_US + number * 5 * SECOND_US + random.randrange(SECOND_US) for number in range(3000)]
    values = {one: random.choice([random.uniform(-1e9, 1e9), NAN, 0.0]) for one in times}
    await house.telemetry.store(server_id, [sample(one, {NUMBER_CPU: values[one]}) for one in times])
    start_us, end_us = times[100] + 1, times[2500] + 1

    answer = await house.query.QueryMetrics(
        _request(server_id, CPU, start_us=start_us, end_us=end_us, max_points=211), metadata=house.metadata
    )

    assert answer.step.ToMicroseconds() == 60 * SECOND_US
    begin_us, finish_us = start_us // (60 * SECOND_US) * 60 * SECOND_US, -(-end_us // (60 * SECOND_US)) * 60 * SECOND_US
    assert (answer.start_time.ToMicroseconds(), answer.end_time.ToMicroseconds()) == (begin_us, finish_us)
    inside = [(one, value) for one, value in values.items() if begin_us <= one < finish_us]
    _assert_steps(answer.series[0], _steps(inside, 60 * SECOND_US, times_us=times))


@pytest.mark.usefixtures("lying")
async def test_the_same_step_shows_the_same_values_wherever_the_span_begins(house: QueryHouse) -> None:
    server_id = await house.server()
    times = [BEGIN_US + number * 5 * SECOND_US for number in range(2000)]
    await house.telemetry.store(server_id, [sample(one, {NUMBER_CPU: one % 89}) for one in times])

    answers = [
        await house.query.QueryMetrics(
            _request(server_id, CPU, start_us=start_us, end_us=start_us + 7200 * SECOND_US, max_points=100),
            metadata=house.metadata,
        )
        for start_us in (BEGIN_US, BEGIN_US + 61 * SECOND_US)
    ]

    first, second = (_points(answer.series[0]) for answer in answers)
    assert answers[0].step == answers[1].step
    common = first.keys() & second.keys()
    assert len(common) > 50
    assert all(first[one] == second[one] for one in common)


@pytest.mark.usefixtures("lying")
async def test_a_metric_of_several_rows_is_a_series_for_each_and_names_keep_their_order(house: QueryHouse) -> None:
    server_id = await house.server()
    await house.telemetry.store(server_id, [sample(BEGIN_US, {NUMBER_CPU: 0.5, NUMBER_USER: 0.25, 4: 0.125})])

    answer = await house.query.QueryMetrics(
        _request(server_id, MODES, CPU, start_us=BEGIN_US, end_us=BEGIN_US + 1), metadata=house.metadata
    )

    assert [(one.name, dict(one.labels), list(one.values)) for one in answer.series] == [
        (MODES, {"cpu.mode": "user"}, [0.25]),
        (MODES, {"cpu.mode": "iowait"}, [0.125]),
        (CPU, {}, [0.5]),
    ]


async def _store_over_two_layouts(
    house: QueryHouse, server_id: str, times: list[int]
) -> dict[str, list[tuple[int, float]]]:
    """Samples whose layout changes in the middle: core 0 moves, core 1 goes, core 2 comes. Returns them by core."""
    first = await house.telemetry.layout(
        server_id, (NUMBER_CORE, ["0"]), (NUMBER_CORE, ["1"]), (NUMBER_INTERFACE, ["eth0"])
    )
    second = await house.telemetry.layout(
        server_id, (NUMBER_INTERFACE, ["eth0"]), (NUMBER_CORE, ["2"]), (NUMBER_CORE, ["0"])
    )
    cores: dict[str, list[tuple[int, float]]] = defaultdict(list)
    samples = []
    for number, time_us in enumerate(times):
        one, other = (_single(random.choice([random.random(), NAN])) for _ in range(2))
        early = number < len(times) // 2
        cores["0"].append((time_us, one))
        cores["1" if early else "2"].append((time_us, other))
        labelled = [one, other, 1e6] if early else [1e6, other, one]
        samples.append(sample(time_us, {NUMBER_CPU: 0.5}, layout_id=first if early else second, labelled=labelled))
    await house.telemetry.store(server_id, samples)
    return cores


@pytest.mark.usefixtures("lying")
async def test_a_labelled_series_is_whole_although_its_layout_changes(house: QueryHouse) -> None:
    server_id = await house.server()
    times = [BEGIN_US + number * 5 * SECOND_US for number in range(200)]
    cores = await _store_over_two_layouts(house, server_id, times)

    answer = await house.query.QueryMetrics(
        _request(server_id, CORES, start_us=BEGIN_US, end_us=times[-1] + 1), metadata=house.metadata
    )

    assert [dict(one.labels) for one in answer.series] == [{"cpu.logical_number": core} for core in ("0", "1", "2")]
    for series, core in zip(answer.series, ("0", "1", "2"), strict=True):
        assert _points(series) == {one / SECOND_US: value for one, value in cores[core] if not math.isnan(value)}


@pytest.mark.usefixtures("lying")
async def test_a_step_in_which_the_layout_changes_is_one_step(house: QueryHouse) -> None:
    server_id = await house.server()
    times = [BEGIN_US + number * 5 * SECOND_US for number in range(1001)]
    cores = await _store_over_two_layouts(house, server_id, times)

    answer = await house.query.QueryMetrics(
        _request(server_id, CORES, CPU, start_us=BEGIN_US, end_us=times[-1] + 1, max_points=20), metadata=house.metadata
    )

    step_us = answer.step.ToMicroseconds()
    assert times[500] % step_us, "the change lies within a step"
    for series, core in zip(answer.series, ("0", "1", "2"), strict=False):
        _assert_steps(series, _steps(cores[core], step_us, times_us=times))
    assert answer.series[3].name == CPU
    _assert_steps(answer.series[3], _steps(((one, 0.5) for one in times), step_us, times_us=times))


@pytest.mark.usefixtures("lying")
async def test_only_the_servers_own_samples_are_read(house: QueryHouse) -> None:
    server_id, neighbour = await house.server(), await house.server()
    await house.telemetry.store(server_id, [sample(BEGIN_US, {NUMBER_CPU: 0.25})])
    await house.telemetry.store(neighbour, [sample(BEGIN_US, {NUMBER_CPU: 0.75})])

    answer = await house.query.QueryMetrics(
        _request(server_id, CPU, start_us=BEGIN_US, end_us=BEGIN_US + 1), metadata=house.metadata
    )

    assert list(answer.series[0].values) == [0.25]


async def test_a_span_without_samples_has_no_series(house: QueryHouse) -> None:
    answer = await house.query.QueryMetrics(_request(await house.server(), CPU, CORES), metadata=house.metadata)

    assert not answer.series
    assert answer.end_time.ToMicroseconds() - answer.start_time.ToMicroseconds() == 3600 * SECOND_US


@pytest.mark.parametrize(
    ("names", "fields", "text"),
    [
        ([], {}, "names: holds 0 names"),
        ([CPU] * 51, {}, "names: holds 51 names"),
        (["system.cpu.utilisation"], {}, "the closest is 'system.cpu.utilization'"),
        (["x'; drop table telemetry.metrics; --"], {}, "is no metric of the catalogue"),
        ([CPU], {"max_points": 9}, "max_points: must be 10 to 5000"),
        ([CPU], {"start_us": BEGIN_US, "end_us": BEGIN_US}, "start_time: must be before end_time"),
        ([CPU], {"start_us": 0}, "start_time: is more than 3660 days"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    house: QueryHouse, names: list[str], fields: dict[str, int], text: str
) -> None:
    error = await refusal(
        house.query.QueryMetrics(_request(await house.server(), *names, **fields), metadata=house.metadata)
    )

    assert error.kind is Kind.INVALID_ARGUMENT
    assert text in error.public
    assert error.violations


async def test_a_foreign_server_is_not_found(house: QueryHouse) -> None:
    foreign = house.auth.server(organization_id="0199a0f0-0000-7000-8000-000000000000")
    error = await refusal(house.query.QueryMetrics(_request(foreign, CPU), metadata=house.metadata))

    assert error.kind is Kind.NOT_FOUND


@pytest.mark.usefixtures("lying")
async def test_a_span_of_more_layouts_than_one_answer_may_read_is_refused_with_advice(house: QueryHouse) -> None:
    server_id = await house.server()
    for number in range(5):
        label = f"{number}".ljust(1024 * 1024, "x")
        layout_id = await house.telemetry.layout(server_id, (NUMBER_CORE, [label]))
        at_us = BEGIN_US + number * SECOND_US
        await house.telemetry.store(server_id, [sample(at_us, layout_id=layout_id, labelled=[0.5])])

    request = _request(server_id, CORES, start_us=BEGIN_US, end_us=BEGIN_US + 60 * SECOND_US)
    error = await refusal(house.query.QueryMetrics(request, metadata=house.metadata))

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, ["start_time"])
    request = _request(server_id, CORES, start_us=BEGIN_US, end_us=BEGIN_US + 2 * SECOND_US)
    assert len((await house.query.QueryMetrics(request, metadata=house.metadata)).series) == 2


async def test_a_damaged_hour_is_told_and_not_shown(house: QueryHouse) -> None:
    server_id = await house.server()
    await seal(
        house.telemetry.connection,
        server_id,
        [Came(sample(BEGIN_US + number, {NUMBER_CPU: 0.5})) for number in range(100)],
    )
    first_stream = columns.HEAD_BYTES + columns.OFFSET_BYTES * (CORE_COUNT + 1)
    await house.telemetry.connection.execute(
        "update telemetry.sealed_metrics set core = overlay(core placing '\\x00ff00ff' from $2) where server_id = $1",
        server_id,
        first_stream + 13,  # amid the compressed numbers of the first metric
    )
    request = _request(server_id, CPU, start_us=BEGIN_US, end_us=BEGIN_US + SECOND_US)
    error = await refusal(house.query.QueryMetrics(request, metadata=house.metadata))

    assert error.kind is Kind.DATA_LOSS


async def test_the_layouts_used_last_are_kept(
    house: QueryHouse, postgres: DatabaseServer, telemetry_database: str
) -> None:
    server_id = await house.server()
    first, second, third = [
        await house.telemetry.layout(server_id, (NUMBER_CORE, [str(number)]), (NUMBER_CORE, ["9"]))
        for number in range(3)
    ]
    url = postgres.url(database=telemetry_database, role="flick_query")
    async with open_pool(url, application_name="test") as pool:
        layouts = Layouts(pool=pool, max_kept_series=4)
        found = await layouts.get([first, second, 2**31 - 1])
        await layouts.get([first])
        await layouts.get([third])

    assert found == {
        first: [(NUMBER_CORE, ("0",)), (NUMBER_CORE, ("9",))],
        second: [(NUMBER_CORE, ("1",)), (NUMBER_CORE, ("9",))],
    }
    assert [layouts.known(one) is not None for one in (first, second, third)] == [True, False, True]

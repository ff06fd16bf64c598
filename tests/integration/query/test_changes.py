"""What changed most on a server between two windows of time, wherever the samples lie."""

import random

import pytest

from flick.errors import Kind
from flick.v1 import catalog_pb2, query_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal
from tests.integration.query.telemetry import sample

CPU, CORES, UPTIME = "system.cpu.utilization", "system.cpu.core.utilization", "system.uptime"
NUMBER_CPU, NUMBER_UPTIME = catalog_pb2.METRIC_CPU_UTILIZATION, catalog_pb2.METRIC_UPTIME
NUMBER_CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
HOUR_US = 3600 * SECOND_US
BEGIN_US = now_us() // HOUR_US * HOUR_US - 20 * HOUR_US
EVERY_US = 5 * SECOND_US


async def _store(house: QueryHouse, server_id: str, count: int) -> None:
    """Core 1 goes from 0.1 to 0.9 halfway, the whole from 0.5 to 0.6, core 0 stays."""
    layout_id = await house.telemetry.layout(server_id, (NUMBER_CORE, ["0"]), (NUMBER_CORE, ["1"]))
    noise = random.Random(3)
    samples = []
    for number in range(count):
        late = number >= count // 2
        core: dict[int, float] = {
            NUMBER_CPU: (0.6 if late else 0.5) + noise.uniform(-0.05, 0.05),
            NUMBER_UPTIME: 5.0 * number,
        }
        labelled = [noise.uniform(0.2, 0.3), (0.9 if late else 0.1) + noise.uniform(-0.05, 0.05)]
        samples.append(sample(BEGIN_US + number * EVERY_US, core, layout_id=layout_id, labelled=labelled))
    await house.telemetry.store(server_id, samples)


def _request(server_id: str, begin: int, end: int, **fields: object) -> query_pb2.QueryMetricChangesRequest:
    request = query_pb2.QueryMetricChangesRequest(server_id=server_id, **fields)  # type: ignore[arg-type]
    request.start_time.FromMicroseconds(BEGIN_US + begin * EVERY_US)
    request.end_time.FromMicroseconds(BEGIN_US + end * EVERY_US)
    return request


@pytest.mark.usefixtures("lying")
async def test_what_changed_most_stands_first(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, 800)

    answer = await house.query.QueryMetricChanges(_request(server_id, 400, 800), metadata=house.metadata)

    assert not answer.HasField("step")
    assert answer.baseline_start_time.ToMicroseconds() == BEGIN_US
    assert answer.baseline_end_time == answer.start_time
    found = [(one.name, dict(one.labels).get("cpu.logical_number")) for one in answer.changes]
    assert found == [(CORES, "1"), (CPU, None), (CORES, "0")]
    first = answer.changes[0]
    assert (first.before.count, first.after.count) == (400, 400)
    assert [first.before.mean, first.after.mean] == pytest.approx([0.1, 0.9], abs=0.01)
    assert first.after.p95 == pytest.approx(0.945, abs=0.01)
    assert first.score > 10 > abs(answer.changes[2].score)


@pytest.mark.usefixtures("lying")
async def test_long_windows_are_compared_by_the_same_steps(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, 4000)
    request = _request(server_id, 2000, 4000, names=[CPU], limit=1)
    request.baseline_start_time.FromMicroseconds(BEGIN_US)
    request.baseline_end_time.FromMicroseconds(BEGIN_US + 100 * EVERY_US)

    answer = await house.query.QueryMetricChanges(request, metadata=house.metadata)

    assert answer.step.ToMicroseconds() == 30 * SECOND_US
    (change,) = answer.changes
    assert (change.before.count, change.after.count) == (17, 334)
    assert [change.before.median, change.after.median] == pytest.approx([0.5, 0.6], abs=0.02)


async def test_what_always_grows_is_compared_only_when_asked_for(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id, 100)

    answer = await house.query.QueryMetricChanges(_request(server_id, 50, 100, names=[UPTIME]), metadata=house.metadata)

    assert [one.name for one in answer.changes] == [UPTIME]


async def test_a_server_without_samples_has_no_changes(house: QueryHouse) -> None:
    answer = await house.query.QueryMetricChanges(_request(await house.server(), 0, 9), metadata=house.metadata)

    assert (len(answer.changes), answer.not_compared_count) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"names": ["no.such.metric"]}, "names"),
        ({"names": [CPU] * 51}, "names"),
        ({"limit": 201}, "limit"),
        ({"end": 0}, "start_time"),
        ({"baseline_us": BEGIN_US + HOUR_US}, "baseline_start_time"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    house: QueryHouse, fields: dict[str, object], field: str
) -> None:
    baseline_us, end = fields.pop("baseline_us", None), fields.pop("end", 9)
    request = _request(await house.server(), 0, end, **fields)  # type: ignore[arg-type]
    if baseline_us:
        request.baseline_start_time.FromMicroseconds(baseline_us)  # type: ignore[arg-type]
        request.baseline_end_time.FromMicroseconds(BEGIN_US)
    error = await refusal(house.query.QueryMetricChanges(request, metadata=house.metadata))

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, [field])


async def test_a_foreign_server_is_not_found(house: QueryHouse) -> None:
    foreign = house.auth.server(organization_id="0199a0f0-0000-7000-8000-000000000000")
    error = await refusal(house.query.QueryMetricChanges(_request(foreign, 0, 9), metadata=house.metadata))

    assert error.kind is Kind.NOT_FOUND

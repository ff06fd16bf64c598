"""Hours that were sealed before the catalogue had the metrics that it has now."""

from flick import columns
from flick.v1 import catalog_pb2, query_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us
from tests.integration.query.rows import Came
from tests.integration.query.sealed import seal
from tests.integration.query.telemetry import sample

HOUR_US = 3600 * SECOND_US
BEGIN_US = now_us() // HOUR_US * HOUR_US - 10 * HOUR_US
UPTIME, FREQUENCY = catalog_pb2.METRIC_UPTIME, catalog_pb2.METRIC_CPU_FREQUENCY
FIRST_CATALOGUE = 25  # so many scalars had the first version
NAMES = ("system.uptime", "system.cpu.frequency")


async def _store(house: QueryHouse, server_id: str) -> None:
    """An hour of an agent of the first version as it was sealed then, and an hour of one of today."""
    connection = house.telemetry.connection
    await seal(connection, server_id, [Came(sample(BEGIN_US + n * SECOND_US, {UPTIME: float(n)})) for n in range(10)])
    block = await connection.fetchval("select core from telemetry.sealed_metrics where server_id = $1", server_id)
    older = columns.pack("d", columns.unpack(block)[:FIRST_CATALOGUE])
    await connection.execute("update telemetry.sealed_metrics set core = $1 where server_id = $2", older, server_id)
    newer = [
        Came(sample(BEGIN_US + HOUR_US + n * SECOND_US, {UPTIME: 100.0 + n, FREQUENCY: 3e9 + n})) for n in range(10)
    ]
    await seal(connection, server_id, newer)


async def _history(house: QueryHouse, server_id: str, *, max_points: int) -> dict[str, query_pb2.TimeSeries]:
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=NAMES, max_points=max_points)
    request.start_time.FromMicroseconds(BEGIN_US)
    request.end_time.FromMicroseconds(BEGIN_US + 2 * HOUR_US)
    answer = await house.query.QueryMetrics(request, metadata=house.metadata)
    return {one.name: one for one in answer.series}


async def test_a_metric_that_came_later_has_a_hole_before_and_the_others_go_on(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id)
    found = await _history(house, server_id, max_points=1000)

    assert list(found["system.uptime"].values) == [*map(float, range(10)), *(100.0 + n for n in range(10))]
    assert list(found["system.cpu.frequency"].values) == [3e9 + n for n in range(10)]
    assert found["system.cpu.frequency"].times[0] == (BEGIN_US + HOUR_US) / SECOND_US


async def test_steps_over_both_are_made_of_what_was_measured(house: QueryHouse) -> None:
    server_id = await house.server()
    await _store(house, server_id)
    found = await _history(house, server_id, max_points=10)

    assert list(found["system.cpu.frequency"].maxima) == [3e9 + 9]
    assert list(found["system.uptime"].maxima) == [9.0, 109.0]

"""Steps of days in the caller's time zone, out of what is stored."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest

from flick.errors import Kind
from flick.v1 import query_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, refusal
from tests.integration.query.telemetry import sample

CPU = "system.cpu.utilization"
DAY_US = 86_400 * SECOND_US
DAYS = 12


def _moments(begin: datetime) -> list[datetime]:
    """Every six hours, some of them within the hour that is another day there than in UTC."""
    return [begin + timedelta(hours=6 * number, minutes=30) for number in range(4 * DAYS)]


def _request(server_id: str, zone: str, begin: datetime) -> query_pb2.QueryMetricsRequest:
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=[CPU], max_points=DAYS + 1, time_zone=zone)
    request.start_time.FromDatetime(begin)
    request.end_time.FromDatetime(begin + timedelta(days=DAYS))
    return request


@pytest.mark.usefixtures("lying")
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/New_York"])
async def test_a_day_holds_the_samples_of_that_day_there(house: QueryHouse, zone: str) -> None:
    server_id = await house.server()
    begin = datetime(2026, 3, 22, 23, tzinfo=UTC)
    values = {moment: float(number) for number, moment in enumerate(_moments(begin))}
    await house.telemetry.store(
        server_id, [sample(int(moment.timestamp()) * SECOND_US, {1: value}) for moment, value in values.items()]
    )
    by_day: dict[date, list[float]] = defaultdict(list)
    for moment, value in values.items():
        by_day[moment.astimezone(ZoneInfo(zone)).date()].append(value)

    answer = await house.query.QueryMetrics(_request(server_id, zone, begin), metadata=house.metadata)

    assert answer.step.ToMicroseconds() == DAY_US
    (series,) = answer.series
    shown = [datetime.fromtimestamp(one, ZoneInfo(zone)) for one in series.times]
    assert [(one.date(), one.hour, one.minute) for one in shown] == [(day, 0, 0) for day in by_day]
    assert list(series.values) == pytest.approx([fmean(found) for found in by_day.values()])
    assert list(series.minima) == [min(found) for found in by_day.values()]
    assert list(series.maxima) == [max(found) for found in by_day.values()]


@pytest.mark.usefixtures("lying")
async def test_days_of_several_servers_are_combined_and_compared_day_by_day(house: QueryHouse) -> None:
    server_ids = [await house.server() for _ in range(2)]
    begin = datetime(2026, 3, 23, tzinfo=UTC)
    for server_id in server_ids:
        for days_ago, value in ((0, 1.0), (14, 5.0)):
            moments = _moments(begin - timedelta(days=days_ago))
            await house.telemetry.store(
                server_id, [sample(int(one.timestamp()) * SECOND_US, {1: value}) for one in moments]
            )
    single = _request(server_ids[0], "Europe/Berlin", begin)
    request = query_pb2.QueryFleetMetricsRequest(
        server_ids=server_ids,
        names=[CPU],
        start_time=single.start_time,
        end_time=single.end_time,
        max_points=single.max_points,
        time_zone=single.time_zone,
        aggregation=query_pb2.FLEET_AGGREGATION_SUM,
    )
    request.compare_offset.FromTimedelta(timedelta(days=14))

    answer = await house.query.QueryFleetMetrics(request, metadata=house.metadata)

    (present,), (earlier,) = answer.series, answer.earlier_series
    assert list(present.series.times) == list(earlier.series.times)
    assert (set(present.series.values), set(earlier.series.values)) == ({2.0}, {10.0})


async def test_a_zone_that_is_not_listed_is_refused(house: QueryHouse) -> None:
    request = _request(await house.server(), "Europe/Atlantis", datetime(2026, 3, 23, tzinfo=UTC))
    error = await refusal(house.query.QueryMetrics(request, metadata=house.metadata))

    assert (error.kind, [one.field for one in error.violations]) == (Kind.INVALID_ARGUMENT, ["time_zone"])

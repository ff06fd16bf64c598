"""The questions, each asked of query and, for the same answer, in plain SQL of plain tables with the best index."""

import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from google.protobuf.message import Message

from flick.bus.live import LATEST_KEY
from flick.db.pool import Connection
from flick.v1 import query_pb2, telemetry_pb2
from services.ingest.rollups.blocks import to_datetime
from tests.bench.years.build import BenchSet
from tests.bench.years.measured import HOUR_US, PLAIN, hour_of
from tests.integration.query.house import QueryHouse
from tests.tiny_auth import Metadata

DAY_US = 24 * HOUR_US
SECOND_US = 1_000_000
ROOT = ["system.filesystem.usage"]
ROOT_USED = {"system.filesystem.mountpoint": "/", "system.filesystem.state": "used"}
CORE = [name for _, name in PLAIN]

_DISK_USED = """
    select extract(epoch from date_bin($4, time, timestamptz 'epoch'))::float8, avg(value), min(value), max(value)
    from plain.disk_used where server_id = $1 and time >= $2 and time < $3 group by 1 order by 1
"""
_HOURS = """
    select extract(epoch from time)::float8, average_1, low_1, high_1, average_2, low_2, high_2,
        average_3, low_3, high_3, average_4, low_4, high_4, average_5, low_5, high_5
    from plain.hours where server_id = $1 and time >= $2 and time < $3 order by time
"""
_YEAR = """
    select extract(epoch from date_bin($4, time, timestamptz 'epoch'))::float8, avg(average_1), min(low_1), max(high_1)
    from plain.hours where server_id = $1 and time >= $2 and time < $3 group by 1 order by 1
"""
_LATEST = "select server_id, (extract(epoch from time) * 1000000)::bigint from plain.latest"
_PROCESSES = """
    select snapshot from plain.processes where server_id = $1 and time > $2 and time <= $3 order by time desc limit 1
"""

_ANNOUNCE = """
    update plain.latest set time = told.time
    from unnest($1::uuid[], $2::timestamptz[]) as told (server_id, time) where latest.server_id = told.server_id
"""

Ask = Callable[[], Awaitable[Message]]


async def _nothing() -> None:
    """What is to be done before most questions."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question in both ways; each makes the message that is the answer, `alike` of both.

    `prepare` comes before each time that it is asked in both, and belongs to none of them.
    """

    name: str
    product: Ask
    plain: Ask
    alike: Callable[[Any], Any]
    goal_ms: float | None = None
    prepare: Callable[[], Awaitable[None]] = _nothing


def questions(house: QueryHouse, plain: Connection, found: BenchSet, *, server: int = 0) -> Sequence[Question]:
    """All questions about a server that has rollups, and about all servers."""
    server_id = found.server_ids[server]
    day = found.sealed_us, found.now_us
    day_points = min(5000, (day[1] - day[0]) // (29 * SECOND_US))  # so that the least usual step that does is 30 s
    month = found.rolled_us - min(30, found.size.hour_days) * DAY_US, found.rolled_us
    year = found.rolled_us - found.size.hour_days * DAY_US, found.rolled_us
    ask, sql = partial(_ask, house, str(server_id)), partial(_sql, plain, server_id)
    year_s = 43_200 if found.size.hour_days > 41 else 3600  # the least usual step of which 1,000 cover the span
    return [
        Question(
            name="disk_used_24h",
            product=partial(_ask_labelled, house, str(server_id), day, day_points),
            plain=partial(sql, _DISK_USED, day, ROOT, 30),
            alike=_points,
        ),
        Question(
            name="five_metrics_30d",
            product=partial(ask, CORE, month, 1000),
            plain=partial(sql, _HOURS, month, CORE, None),
            alike=_points,
            goal_ms=50,
        ),
        Question(
            name="one_metric_1y",
            product=partial(ask, CORE[:1], year, 1000),
            plain=partial(sql, _YEAR, year, CORE[:1], year_s),
            alike=_points,
        ),
        Question(
            name="summary_of_silent",  # who answers that looks into the tables
            product=partial(_summary, house),
            plain=partial(_plain_summary, plain),
            alike=_last_times,
        ),
        Question(
            name="summary",
            product=partial(_summary, house),
            plain=partial(_plain_summary, plain),
            alike=_last_times,
            goal_ms=100,
            prepare=partial(_announce, house, plain, found),
        ),
        Question(
            name="processes_at_instant",
            product=partial(_processes, house, str(server_id), found.now_us - HOUR_US // 2),
            plain=partial(_plain_processes, plain, server_id, found.now_us - HOUR_US // 2),
            alike=lambda answer: sorted(one.pid for one in answer.processes),
            goal_ms=20,
        ),
    ]


async def nothing(house: QueryHouse, metadata: Metadata) -> Message:
    """What of every answer is not reading: the summary of somebody who is let in and has no servers."""
    return await house.query.SummarizeServers(query_pb2.SummarizeServersRequest(), metadata=metadata)


async def _ask(house: QueryHouse, server_id: str, names: Sequence[str], span: tuple[int, int], points: int) -> Message:
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=names, max_points=points)
    request.start_time.FromMicroseconds(span[0])
    request.end_time.FromMicroseconds(span[1])
    return await house.query.QueryMetrics(request, metadata=house.metadata)


async def _ask_labelled(house: QueryHouse, server_id: str, span: tuple[int, int], points: int) -> Message:
    request = query_pb2.QueryFleetMetricsRequest(
        server_ids=[server_id], names=ROOT, labels=ROOT_USED, max_points=points
    )
    request.start_time.FromMicroseconds(span[0])
    request.end_time.FromMicroseconds(span[1])
    return await house.query.QueryFleetMetrics(request, metadata=house.metadata)


async def _sql(
    plain: Connection, server_id: uuid.UUID, sql: str, span: tuple[int, int], names: Sequence[str], step_s: int | None
) -> Message:
    """Rows of a time, and average, minimum and maximum of each of `names`, as the message that tells of them."""
    step = () if step_s is None else (timedelta(seconds=step_s),)
    rows = await plain.fetch(sql, server_id, to_datetime(span[0]), to_datetime(span[1]), *step)
    times, *columns = zip(*rows, strict=True)
    answer = query_pb2.QueryMetricsResponse()
    for place, name in enumerate(names):
        values, minima, maxima = columns[3 * place : 3 * place + 3]
        answer.series.add(name=name, times=times, values=values, minima=minima, maxima=maxima)
    return answer


async def _summary(house: QueryHouse) -> Message:
    return await house.query.SummarizeServers(query_pb2.SummarizeServersRequest(), metadata=house.metadata)


async def _announce(house: QueryHouse, plain: Connection, found: BenchSet) -> None:
    """A sample of every server that has just come: in Redis as ingest leaves it there, and in the plain table."""
    hour = hour_of(0, found.now_us - HOUR_US)
    core, labelled = hour.core[:, 0].tolist(), hour.labelled[:, 0].tolist()
    now_us = time.time_ns() // 1000
    times_us = [now_us - 1000 * number for number in range(len(found.server_ids))]
    samples = {
        str(server_id): telemetry_pb2.Sample(
            time_unix_nano=time_us * 1000, core=core, layout_id=1, labelled=labelled
        ).SerializeToString()
        for server_id, time_us in zip(found.server_ids, times_us, strict=True)
    }
    assert await house.telemetry.bus.keep_newest(LATEST_KEY, samples)
    await plain.execute(_ANNOUNCE, found.server_ids, list(map(to_datetime, times_us)))


def _last_times(answer: Any) -> list[tuple[str, int]]:
    return sorted((one.server_id, one.last_sample_time.ToMicroseconds()) for one in answer.servers)


async def _plain_summary(plain: Connection) -> Message:
    answer = query_pb2.SummarizeServersResponse()
    for server_id, time_us in await plain.fetch(_LATEST):
        answer.servers.add(server_id=str(server_id)).last_sample_time.FromMicroseconds(time_us)
    return answer


async def _processes(house: QueryHouse, server_id: str, time_us: int) -> Message:
    request = query_pb2.ListProcessesRequest(server_id=server_id)
    request.time.FromMicroseconds(time_us)
    return await house.query.ListProcesses(request, metadata=house.metadata)


async def _plain_processes(plain: Connection, server_id: uuid.UUID, time_us: int) -> Message:
    since_us = time_us - 300 * SECOND_US
    packed = await plain.fetchval(_PROCESSES, server_id, to_datetime(since_us), to_datetime(time_us))
    found = telemetry_pb2.ProcessSnapshot.FromString(packed)
    return query_pb2.ListProcessesResponse(processes=found.processes)


def _points(answer: Any) -> list[tuple[str, list[tuple[float, ...]]]]:
    """What a chart shows: by name, of each time the average, minimum and maximum, or the sample."""
    series = [getattr(one, "series", one) for one in answer.series]
    return sorted((one.name, list(zip(one.times, one.values, one.minima, one.maxima, strict=True))) for one in series)

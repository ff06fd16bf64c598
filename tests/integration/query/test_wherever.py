"""However samples are spread over rows and sealed hours, every answer is the one that rows alone give."""

import math
from collections.abc import AsyncIterator, Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from flick.db.pool import Connection, Pool, open_pool
from flick.ids import new_id
from flick.v1 import catalog_pb2, query_pb2
from services.query.reading.rows import NewestSample
from services.query.reading.samples import Samples
from services.query.reading.snapshot import snapshot
from services.query.rules.catalog import Catalog
from services.query.rules.plan import SECOND_US, Reading, Span
from services.query.rules.points import Points, collect_samples, collect_steps, columns_of
from services.query.rules.series import cells_of, find_series
from tests.databases import DatabaseServer
from tests.integration.query.house import QueryHouse, now_us
from tests.integration.query.rows import NAN, Came, insert, insert_processes
from tests.integration.query.sealed import HOUR_US, seal, seal_processes
from tests.integration.query.telemetry import Telemetry, another, sample

EXAMPLES = 15
HOURS = 4
BEGIN_US = now_us() // HOUR_US * HOUR_US - 50 * HOUR_US
CATALOG = Catalog.from_contract()
SAMPLES = Samples(catalog=CATALOG)
SELECTORS = CATALOG.resolve(["system.cpu.utilization", "system.uptime", "system.cpu.core.utilization"])
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
LAYOUTS = {7: [(CORE, ["0"]), (CORE, ["1"])], 8: [(CORE, ["2"]), (CORE, ["0"]), (CORE, ["1"])]}
WIDTHS = {0: 0, **{layout_id: len(series) for layout_id, series in LAYOUTS.items()}}


class Place(Enum):
    """Where a sample lies. An hour may have several blocks of one layout; a copy is a row that came twice."""

    ROW = 0
    BLOCK = 1
    OTHER_BLOCK = 2
    BLOCK_AND_COPY = 3


class Spread(NamedTuple):
    """A sample, its processes, and where they lie."""

    came: Came
    processes: bytes
    place: Place


offsets_us = st.integers(0, HOURS * HOUR_US - 1) | st.builds(
    lambda hour, beside_us: min(max(hour * HOUR_US + beside_us, 0), HOURS * HOUR_US - 1),
    st.integers(0, HOURS),
    st.integers(-2, 2),
)
values = st.sampled_from([NAN, math.inf]) | st.integers(-1000, 1000).map(float)  # sums in any order are the same


@st.composite
def spreads(draw: st.DrawFn) -> list[Spread]:
    """Samples of three layouts over a few hours."""
    found = []
    for offset_us in sorted(draw(st.sets(offsets_us, max_size=25))):
        layout_id = draw(st.sampled_from(sorted(WIDTHS)))
        labelled = [draw(values) for _ in range(draw(st.integers(0, WIDTHS[layout_id])))]
        core = {1: draw(values), 25: draw(values)}
        measured = sample(BEGIN_US + offset_us, core, layout_id=layout_id, labelled=labelled)
        processes = b"" if draw(st.booleans()) else b"processes %d" % offset_us
        came = Came(measured, draw(st.integers(-(10**7), 10**10)))
        found.append(Spread(came, processes, draw(st.sampled_from(Place))))
    return found


spans = (
    st.tuples(offsets_us, offsets_us)
    .map(sorted)
    .map(lambda drawn: Span(start_us=BEGIN_US + drawn[0], end_us=BEGIN_US + drawn[1] + 1))
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(postgres: DatabaseServer, telemetry_database: str) -> AsyncIterator[Pool]:
    async with open_pool(postgres.url(database=telemetry_database, role="flick_query"), application_name="test") as one:
        yield one


@settings(max_examples=EXAMPLES)
@given(spread=spreads(), span=spans, step_us=st.sampled_from([1, 60, 3600, 7200]).map(lambda step: step * SECOND_US))
async def test_every_answer_is_that_of_rows_alone(
    house: QueryHouse, pool: Pool, spread: list[Spread], span: Span, step_us: int
) -> None:
    in_rows, in_both = str(new_id()), str(new_id())
    await _store(house.telemetry, in_rows, [one._replace(place=Place.ROW) for one in spread])
    await _store(house.telemetry, in_both, spread)

    async with snapshot(pool) as connection:
        expected = await _answers(connection, in_rows, span, step_us)
        found = await _answers(connection, in_both, span, step_us)

    assert found == expected


async def _store(telemetry: Telemetry, server_id: str, spread: Sequence[Spread]) -> None:
    def at(*places: Place) -> list[Spread]:
        return [one for one in spread if one.place in places]

    connection = telemetry.connection
    await insert(connection, server_id, [one.came for one in at(Place.ROW)])
    await insert(connection, server_id, [another(one.came) for one in at(Place.BLOCK_AND_COPY)])
    await insert_processes(connection, server_id, _snapshots(at(Place.ROW)))
    await insert_processes(connection, server_id, dict.fromkeys(_snapshots(at(Place.BLOCK_AND_COPY)), b"another"))
    for places in ([Place.BLOCK, Place.BLOCK_AND_COPY], [Place.OTHER_BLOCK]):
        await seal(connection, server_id, [one.came for one in at(*places)])
        await seal_processes(connection, server_id, _snapshots(at(*places)))


def _snapshots(spread: Iterable[Spread]) -> dict[int, bytes]:
    return {one.came.time_us: one.processes for one in spread if one.processes}


async def _answers(connection: Connection, server_id: str, span: Span, step_us: int) -> dict[str, Any]:
    """Everything that can be asked of a server."""
    newest = (await SAMPLES.newest(connection, [server_id], span.start_us)).get(server_id)
    return {
        "probes": [await SAMPLES.probe(connection, server_id, span, limit=limit) for limit in (1, 3, 100)],
        "times": [one async for part in SAMPLES.times_us(connection, server_id, span) for one in part],
        "any before": await SAMPLES.any_before(connection, server_id, span.start_us),
        "samples": await _points(connection, server_id, span, None),
        "steps": await _points(connection, server_id, span.aligned(step_us), step_us),
        "layouts": await SAMPLES.layout_ids(connection, server_id, span),
        "lags": sorted(lag for part in await SAMPLES.lags_us(connection, server_id, span) for lag in part),
        "newest": newest and _comparable(newest),
        "newest time": (await SAMPLES.newest_times_us(connection, [server_id], span.start_us)).get(server_id),
        "processes": await SAMPLES.processes(connection, server_id, span),
    }


async def _points(
    connection: Connection, server_id: str, span: Span, step_us: int | None
) -> list[query_pb2.TimeSeries]:
    collected = [Points(series=one) for one in find_series(SELECTORS, LAYOUTS)]
    for core in (True, False):
        cells = cells_of((one.series for one in collected), core=core)
        columns = columns_of(collected, cells)
        if step_us is None:
            collect_samples(await SAMPLES.samples(connection, server_id, span, cells), columns)
        else:
            reading = Reading(span=span, step_us=step_us)
            collect_steps(await SAMPLES.steps(connection, server_id, reading, cells), columns)
    return [one.time_series() for one in collected]


def _comparable(newest: NewestSample) -> NewestSample:
    """What was not measured as None, and no values after the last one that was."""
    core, labelled = ([_null(value) for value in one] for one in (newest.core, newest.labelled))
    for values in (core, labelled):
        while values and values[-1] is None:
            values.pop()
    return newest._replace(core=core, labelled=labelled)


def _null(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value

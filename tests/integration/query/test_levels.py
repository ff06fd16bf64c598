"""Steps that are made of rollups are those that all samples give, whatever is rolled up, sealed, or in rows yet."""

import math
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from flick.db.pool import Connection, Pool, open_pool
from flick.ids import new_id
from flick.v1 import catalog_pb2, query_pb2
from services.query.reading.samples import Samples
from services.query.reading.snapshot import snapshot
from services.query.rules.catalog import Catalog
from services.query.rules.days import DayReading, by_days
from services.query.rules.levels import DAYS, HOURS, LEVELS, MINUTES, Sources
from services.query.rules.plan import SECOND_US, Reading, Span
from services.query.rules.points import Points, collect_steps, columns_of
from services.query.rules.series import cells_of, find_series
from tests.databases import DatabaseServer
from tests.integration.query.house import QueryHouse
from tests.integration.query.rolled import roll_up
from tests.integration.query.rows import NAN, Came, insert
from tests.integration.query.sealed import HOUR_US, seal
from tests.integration.query.telemetry import sample
from tests.unit.ingest.rollups.brute import Measured, weights

EXAMPLES = 25
SPAN_HOURS = 72
ROW_HOURS = (0, 26, 27, 49)  # chunks of rows are made for these only
CATALOG = Catalog.from_contract()
SAMPLES = Samples(catalog=CATALOG)
SELECTORS = CATALOG.resolve(["system.cpu.utilization", "system.cpu.core.utilization"])
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
LAYOUTS = {7: [(CORE, ["0"]), (CORE, ["1"])], 8: [(CORE, ["1"])]}
EVERY_LEVEL = Sources(samples=True, levels=LEVELS)


class Place(Enum):
    """Where a sample lies, and what was made of its hour since it came."""

    ROLLED = 0
    MINUTES = 1
    SEALED = 2
    ROW = 3


class Case(NamedTuple):
    """A midnight before a change of clocks, a leap day or a turn of the year, and where it is midnight."""

    begin: str
    zone: str


class Stored(NamedTuple):
    came: Came
    place: Place


CASES = [
    Case("2026-03-28T00:00+01:00", "Europe/Berlin"),
    Case("2026-10-31T00:00-04:00", "America/New_York"),
    Case("2026-04-04T00:00+11:00", "Australia/Lord_Howe"),
    Case("2028-02-28T00:00+05:45", "Asia/Kathmandu"),
    Case("2026-12-30T00:00+00:00", "UTC"),
]
values = st.just(NAN) | st.integers(-1000, 1000).map(float)
offsets_us = st.tuples(st.integers(0, SPAN_HOURS - 1) | st.sampled_from(ROW_HOURS), st.integers(0, HOUR_US - 1)).map(
    lambda drawn: drawn[0] * HOUR_US + drawn[1]
)


@st.composite
def stored(draw: st.DrawFn, begin_us: int) -> list[Stored]:
    """Samples of a few days, several of some hours, each wherever it may lie."""
    found = []
    for offset_us in sorted(draw(st.sets(offsets_us, max_size=30))):
        layout_id = draw(st.sampled_from([0, 7, 8]))
        measured = sample(
            begin_us + offset_us,
            {1: draw(values)},
            layout_id=layout_id,
            labelled=[draw(values) for _ in LAYOUTS.get(layout_id, ())],
        )
        place = draw(st.sampled_from(Place))
        if place is Place.ROW and offset_us // HOUR_US not in ROW_HOURS:
            place = Place.SEALED
        found.append(Stored(Came(measured), place))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(postgres: DatabaseServer, telemetry_database: str) -> AsyncIterator[Pool]:
    async with open_pool(postgres.url(database=telemetry_database, role="flick_query"), application_name="test") as one:
        yield one


@settings(max_examples=EXAMPLES)
@given(data=st.data(), case=st.sampled_from(CASES))
async def test_steps_of_levels_are_those_of_all_samples(
    house: QueryHouse, pool: Pool, data: st.DataObject, case: Case
) -> None:
    zone, begin_us = ZoneInfo(case.zone), _us(case.begin)
    samples = data.draw(stored(begin_us))
    server_id = str(new_id())
    await _store(house.telemetry.connection, server_id, samples)

    async with snapshot(pool) as connection:
        for reading in _readings(begin_us, zone):
            found = await _series(connection, server_id, reading)
            expected = _brute_force([one.came for one in samples], reading)
            assert set(found) == set(expected), reading
            for key, series in found.items():
                assert list(series.times) == list(expected[key])
                steps = expected[key].values()
                assert list(series.values) == pytest.approx([one[0] for one in steps], rel=1e-6, abs=1e-3)
                assert list(series.minima) == [one[1] for one in steps]
                assert list(series.maxima) == [one[2] for one in steps]


def test_the_readings_use_every_level() -> None:
    levels = {(case.zone, one.level) for case in CASES for one in _readings(_us(case.begin), ZoneInfo(case.zone))}

    assert {level for _, level in levels} == {*LEVELS}
    assert [level for zone, level in levels if zone == "Asia/Kathmandu" and level is DAYS] == []


async def _store(connection: Connection, server_id: str, samples: Sequence[Stored]) -> None:
    def at(place: Place) -> list[Came]:
        return [one.came for one in samples if one.place is place]

    await seal(connection, server_id, at(Place.ROLLED))
    await roll_up(connection)
    await seal(connection, server_id, at(Place.MINUTES))
    await roll_up(connection, days=False)
    await seal(connection, server_id, at(Place.SEALED))
    await insert(connection, server_id, at(Place.ROW))


def _us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * SECOND_US


def _readings(begin_us: int, zone: ZoneInfo) -> list[Reading]:
    """By minutes, by hours, and by days of the zone, of spans that begin and end anywhere."""
    span = Span(start_us=begin_us + 90 * 60 * SECOND_US, end_us=begin_us + (SPAN_HOURS - 1) * HOUR_US)
    of_steps = [
        Reading(span=span.aligned(step_us), step_us=step_us, sources=EVERY_LEVEL)
        for step_us in (MINUTES.bucket_us, 15 * MINUTES.bucket_us, HOURS.bucket_us, 6 * HOURS.bucket_us)
    ]
    whole = Span(start_us=begin_us, end_us=begin_us + SPAN_HOURS * HOUR_US)
    by_day = Reading(span=whole.aligned(DAYS.bucket_us), step_us=DAYS.bucket_us, sources=EVERY_LEVEL)
    return [*of_steps, by_days(by_day, whole, points=10, zone=zone)]


async def _series(
    connection: Connection, server_id: str, reading: Reading
) -> dict[tuple[str, ...], query_pb2.TimeSeries]:
    collected = [Points(series=one) for one in find_series(SELECTORS, LAYOUTS)]
    for core in (True, False):
        cells = cells_of((one.series for one in collected), core=core)
        collect_steps(await SAMPLES.steps(connection, server_id, reading, cells), columns_of(collected, cells))
    return {one.series.label_values: one.time_series() for one in collected if len(one)}


def _brute_force(
    came: Sequence[Came], reading: Reading
) -> dict[tuple[str, ...], dict[float, tuple[float, float, float]]]:
    """By label values and step: average, minimum, maximum of every sample looked at by itself."""
    stands_for = weights([Measured(one.time_us, 0, []) for one in came])
    groups: dict[tuple[str, ...], dict[float, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    for one in sorted(came, key=lambda one: one.time_us):
        if not reading.span.start_us <= one.time_us < reading.span.end_us:
            continue
        measured: list[tuple[tuple[str, ...], float]] = [((), one.sample.core[0])]
        for (_, labels), value in zip(LAYOUTS.get(one.sample.layout_id, ()), one.sample.labelled, strict=True):
            measured.append((tuple(labels), value))
        for key, value in measured:
            if not math.isnan(value):
                groups[key][_begin_us(reading, one.time_us) / SECOND_US].append((value, stands_for[one.time_us]))
    return {
        key: {
            begin: (
                sum(value * weight for value, weight in found) / sum(w for _, w in found),
                min(found)[0],
                max(found)[0],
            )
            for begin, found in steps.items()
        }
        for key, steps in groups.items()
    }


def _begin_us(reading: Reading, time_us: int) -> int:
    if isinstance(reading, DayReading):
        return max(one for one in reading.days.shown_us if one <= time_us)
    assert reading.step_us is not None
    return time_us // reading.step_us * reading.step_us


NAME = "system.cpu.utilization"
_DELETE = {
    "samples": "delete from telemetry.sealed_metrics where server_id = $1",
    "minutes": "delete from telemetry.rollups_1m where server_id = $1",
    "hours": "delete from telemetry.rollups_1h where server_id = $1",
}


async def _ask(house: QueryHouse, server_id: str, span: Span, **fields: object) -> query_pb2.QueryMetricsResponse:
    request = query_pb2.QueryMetricsRequest(server_id=server_id, names=[NAME], **fields)  # type: ignore[arg-type]
    request.start_time.FromMicroseconds(span.start_us)
    request.end_time.FromMicroseconds(span.end_us)
    answer = await house.query.QueryMetrics(request, metadata=house.metadata)
    assert isinstance(answer, query_pb2.QueryMetricsResponse)
    return answer


@pytest.mark.parametrize(
    ("gone", "step_us"),
    [
        (["samples"], MINUTES.bucket_us),
        (["samples", "minutes"], HOURS.bucket_us),
        (["samples", "minutes", "hours"], DAYS.bucket_us),
    ],
    ids=["samples", "minutes", "hours"],
)
async def test_where_finer_data_is_gone_the_answer_has_longer_steps(
    house: QueryHouse, gone: list[str], step_us: int
) -> None:
    server_id, begin_us = await house.server(), _us("2026-03-10T00:00+00:00")
    times_us = range(begin_us, begin_us + 3 * DAYS.bucket_us, 10 * 60 * SECOND_US)
    await _store(
        house.telemetry.connection,
        server_id,
        [Stored(Came(sample(time_us, {1: 0.25})), Place.ROLLED) for time_us in times_us],
    )
    for data in gone:
        await house.telemetry.connection.execute(_DELETE[data], server_id)

    answer = await _ask(
        house, server_id, Span(start_us=begin_us, end_us=begin_us + 2 * DAYS.bucket_us), time_zone="Europe/Berlin"
    )

    assert answer.step.ToMicroseconds() >= step_us
    assert answer.step.ToMicroseconds() % step_us == 0
    assert set(answer.series[0].values) == {0.25}
    assert answer.start_time.ToMicroseconds() <= begin_us


async def test_gaps_of_a_span_that_rollups_tell_of_are_missing_buckets(house: QueryHouse) -> None:
    server_id, begin_us = await house.server(interval_s=60), _us("2026-03-10T00:00+00:00")
    hole = range(30 * HOUR_US, 33 * HOUR_US)
    times_us = [begin_us + one for one in range(0, 72 * HOUR_US, 60 * SECOND_US) if one not in hole]
    await _store(
        house.telemetry.connection,
        server_id,
        [Stored(Came(sample(time_us, {1: 0.25})), Place.ROLLED) for time_us in times_us],
    )

    answer = await _ask(house, server_id, Span(start_us=begin_us, end_us=begin_us + 72 * HOUR_US), max_points=72)

    assert answer.step.ToMicroseconds() == HOUR_US
    assert [(one.start_time.ToMicroseconds(), one.end_time.ToMicroseconds()) for one in answer.gaps] == [
        (begin_us + hole.start, begin_us + hole.stop)
    ]

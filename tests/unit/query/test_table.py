"""History as a table: CSV and NDJSON that programs read back."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError
from services.query.rules.catalog import Catalog
from services.query.rules.points import Block
from services.query.rules.series import Series, cells_of, find_series
from services.query.rules.table import PIECE_VALUES, Csv, Ndjson, Row, find_form, join_rows, pieces, tell_time
from services.query.rules.zones import find_zone

CATALOG = Catalog.from_contract()
CPU, CORES = "system.cpu.utilization", "system.cpu.core.utilization"
CORE = CATALOG.resolve([CORES])[0].number
UTC, BERLIN, KATHMANDU = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")
ODD = 'a "b",\nc'
LAYOUTS = {7: [(CORE, ("0",)), (CORE, (ODD,))], 8: [(CORE, (ODD,))]}


def _series() -> list[Series]:
    return find_series(CATALOG.resolve([CPU, CORES]), LAYOUTS)


def _us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000


numbers = st.none() | st.floats(allow_nan=False)
tables = st.lists(st.tuples(st.integers(0, 4_000_000_000_000_000), st.tuples(numbers, numbers, numbers)), max_size=20)


@given(rows=tables)
def test_a_csv_is_read_back_as_it_was_written(rows: list[Row]) -> None:
    form = Csv(zone=BERLIN)
    text = form.head(_series()) + b"".join(pieces(form, rows, columns=3)).decode()

    head, *body = csv.reader(io.StringIO(text))
    assert head == [
        "time",
        "system.cpu.utilization [1]",
        f"system.cpu.core.utilization{{cpu.logical_number={ODD}}} [1]",
        "system.cpu.core.utilization{cpu.logical_number=0} [1]",
    ]
    assert [tuple(float(one) if one else None for one in values) for _, *values in body] == [row for _, row in rows]
    moments = [datetime.fromisoformat(time) for time, *_ in body]
    assert [(one - datetime.fromtimestamp(0, UTC)) // (one.resolution) for one in moments] == [time for time, _ in rows]


@given(rows=tables)
def test_ndjson_is_read_back_as_it_was_written(rows: list[Row]) -> None:
    form = Ndjson(zone=KATHMANDU)
    text = form.head(_series()) + b"".join(pieces(form, rows, columns=3)).decode()

    head, *body = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert head["timeZone"] == "Asia/Kathmandu"
    assert head["columns"][1] == {"name": CORES, "labels": {"cpu.logical_number": ODD}, "unit": "1"}
    read = [tuple(None if one is None else float(one) for one in line["values"]) for line in body]
    assert read == [row for _, row in rows]
    assert all(line["time"].endswith(("+05:45", "+05:30")) for line in body)


def test_times_carry_the_offset_of_their_moment() -> None:
    assert tell_time(_us("2026-03-29T00:59:59+00:00"), BERLIN) == "2026-03-29T01:59:59+01:00"
    assert tell_time(_us("2026-03-29T01:00:00+00:00"), BERLIN) == "2026-03-29T03:00:00+02:00"
    assert tell_time(_us("2026-10-25T00:30:00+00:00"), BERLIN) == "2026-10-25T02:30:00+02:00"
    assert tell_time(_us("2026-10-25T01:30:00+00:00"), BERLIN) == "2026-10-25T02:30:00+01:00"
    assert tell_time(1_500, UTC) == "1970-01-01T00:00:00.001500+00:00"


def _block(layout_id: int, samples: Mapping[int, Sequence[float]]) -> Block:
    return Block(layout_id=layout_id, times_us=np.array(list(samples)), values=np.array(list(samples.values())).T)


def test_core_columns_and_labelled_values_of_a_sample_become_one_row() -> None:
    series = _series()
    core, labelled = cells_of(series, core=True), cells_of(series, core=False)
    rows = join_rows(
        series,
        [
            (core, [_block(0, {1: [0.5], 2: [math.nan], 3: [math.nan]})]),
            (labelled, [_block(7, {1: [0.1, 0.2]}), _block(8, {2: [0.3, math.nan]}), _block(9, {3: [0.4, 0.5]})]),
        ],
    )

    assert rows == [(1, [0.5, 0.2, 0.1]), (2, [None, 0.3, None])]


def test_pieces_of_many_columns_have_few_rows() -> None:
    rows: list[Row] = [(time, [1.0] * PIECE_VALUES) for time in range(5)]

    assert len(pieces(Csv(zone=UTC), rows, columns=PIECE_VALUES)) == 3
    assert len(pieces(Csv(zone=UTC), rows, columns=1)) == 1


@pytest.mark.parametrize("name", ["", "csv", "ndjson"])
def test_the_forms_there_are(name: str) -> None:
    assert find_form(name, UTC).content_type


def test_another_form_is_refused() -> None:
    with pytest.raises(FlickError, match="format: is 'xlsx'; write csv or ndjson"):
        find_form("xlsx", UTC)


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "../../etc/passwd", "/etc/passwd", "Europe", "CEST+1", "a\0b", "x" * 999]
)
def test_a_zone_that_is_not_listed_is_refused(name: str) -> None:
    with pytest.raises(FlickError, match=r"time_zone: .* is no time zone"):
        find_zone(name)


def test_no_name_is_utc() -> None:
    assert find_zone("").key == "UTC"
    assert find_zone("America/New_York").key == "America/New_York"

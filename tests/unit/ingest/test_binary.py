"""Columns in binary COPY: every value comes back as it was, NaN as null."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.intake import binary
from tests.unit.ingest.copied import fields

_DOUBLES = st.floats(allow_infinity=False, allow_nan=False)


@given(values=st.lists(_DOUBLES | st.just(math.nan), max_size=30))
def test_doubles_are_columns_and_nan_is_null(values: list[float]) -> None:
    columns = fields(binary.doubles(values, whole=False))

    assert columns == [None if math.isnan(value) else struct.pack(">d", value) for value in values]


@given(values=st.lists(_DOUBLES, max_size=30))
def test_what_is_known_to_be_whole_is_packed_to_the_same_bytes(values: list[float]) -> None:
    assert binary.doubles(values, whole=True) == binary.doubles(values, whole=False)


@given(values=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_whole_arrays_differ_only_by_saying_that_nothing_is_null(values: list[float]) -> None:
    whole, checked = binary.reals(values, whole=True), binary.reals(values, whole=False)

    assert (whole[:8] + bytes(4) + whole[12:], whole[12:]) == (whole, checked[12:])


@pytest.mark.parametrize("rows", [0, 1, binary.ROWS_PER_PIECE, 2 * binary.ROWS_PER_PIECE + 1])
def test_a_stream_has_every_row_behind_its_count_of_columns(rows: int) -> None:
    whole = b"".join(binary.stream(1, [binary.integer(row) for row in range(rows)]))
    head, body, tail = whole[:19], whole[19:-2], whole[-2:]

    assert (head[:11], tail) == (b"PGCOPY\n\xff\r\n\0", struct.pack(">h", -1))
    assert body == b"".join(struct.pack(">hii", 1, 4, row) for row in range(rows))


def test_pieces_stay_below_what_is_mapped_and_unmapped_each_time() -> None:
    pieces = list(binary.stream(30, [bytes(600)] * 1000))

    assert max(map(len, pieces)) < 128 * 1024

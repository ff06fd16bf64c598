"""Columns in binary COPY: every value comes back as it was, and whatever is no number as the same."""

import math
import struct
from collections.abc import Mapping
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.intake import binary
from tests.unit.ingest.copied import fields

_WIDTHS: Mapping[str, Literal[32, 64]] = {"d": 64, "f": 32}
_ODD_NAN = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]


@pytest.mark.parametrize("code", ["d", "f"])
@given(data=st.data())
def test_numbers_are_one_column_side_by_side_and_every_nan_is_the_same(code: str, data: st.DataObject) -> None:
    usual = st.floats(allow_infinity=False, allow_nan=False, width=_WIDTHS[code])
    values = data.draw(st.lists(usual | st.sampled_from([math.nan, _ODD_NAN]), max_size=50))
    expected = b"".join(struct.pack(f">{code}", math.nan if math.isnan(value) else value) for value in values)

    assert fields(binary.numbers(code, values, whole=False)) == [expected]


@pytest.mark.parametrize("code", ["d", "f"])
@given(data=st.data())
def test_what_is_known_to_be_whole_is_packed_to_the_same_bytes(code: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.floats(allow_infinity=False, allow_nan=False, width=_WIDTHS[code]), max_size=50))

    assert binary.numbers(code, values, whole=True) == binary.numbers(code, values, whole=False)


@pytest.mark.parametrize("rows", [0, 1, binary.ROWS_PER_PIECE, 2 * binary.ROWS_PER_PIECE + 1])
def test_a_stream_has_every_row_behind_its_count_of_columns(rows: int) -> None:
    whole = b"".join(binary.stream(1, [binary.integer(row) for row in range(rows)]))
    head, body, tail = whole[:19], whole[19:-2], whole[-2:]

    assert (head[:11], tail) == (b"PGCOPY\n\xff\r\n\0", struct.pack(">h", -1))
    assert body == b"".join(struct.pack(">hii", 1, 4, row) for row in range(rows))


def test_pieces_stay_below_what_is_mapped_and_unmapped_each_time() -> None:
    pieces = list(binary.stream(30, [bytes(600)] * 1000))

    assert max(map(len, pieces)) < 128 * 1024

"""Blocks of columns: what comes out is what went in, and each column can be cut out."""

import math
import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick import columns
from flick.columns import HEAD_BYTES, OFFSET_BYTES, Directory

FORMS = {"d": st.integers(0, 2**64 - 1), "f": st.integers(0, 2**32 - 1)}
BITS = {"d": ">Q", "f": ">I"}


@st.composite
def floating(draw: st.DrawFn) -> tuple[str, list["array[float]"]]:
    """Columns of any bits at all: also NaN in all its forms, infinities, and both zeros."""
    code = draw(st.sampled_from(sorted(FORMS)))
    rows = draw(st.integers(0, 12))
    bits = draw(st.lists(st.lists(FORMS[code], min_size=rows, max_size=rows), max_size=5))
    return code, [_of_bits(code, one) for one in bits]


def _of_bits(code: str, bits: list[int]) -> "array[float]":
    column: array[float] = array(code)
    column.frombytes(b"".join(struct.pack(BITS[code].replace(">", "="), one) for one in bits))
    return column


def raw(found: list[columns.Numbers]) -> list[bytes]:
    return [column.tobytes() for column in found]


@given(floating())
def test_numbers_come_out_bit_for_bit(given: tuple[str, list["array[float]"]]) -> None:
    code, numbers = given

    assert raw(columns.unpack(columns.pack(code, numbers))) == raw(numbers)


@given(st.lists(st.integers(-(2**62), 2**62 - 1), max_size=50))
def test_whole_numbers_come_out_as_they_were(numbers: list[int]) -> None:
    assert columns.unpack(columns.pack("q", [array("q", numbers)])) == [array("q", numbers)]


def test_a_step_that_is_no_whole_number_of_64_bits_is_refused() -> None:
    with pytest.raises(OverflowError):
        columns.pack("q", [array("q", [-(2**63), 2**63 - 1])])


def test_planes_make_the_same_block_as_the_numbers_that_they_are_of() -> None:
    rows = [(1.5, -2.25), (math.pi, 1e300), (0.0, -0.0)]
    wire = b"".join(struct.pack(">2d", *row) for row in rows)  # as it comes from a network: rows of one width
    planes = [b"".join(wire[8 * column + place :: 16] for place in range(8)) for column in range(2)]
    numbers = [array("d", values) for values in zip(*rows, strict=True)]

    assert columns.pack_planes("d", 3, planes) == columns.pack("d", numbers)


def test_a_column_is_cut_out_by_two_offsets_of_the_head() -> None:
    numbers = [array("f", [float(column + row) for row in range(100)]) for column in range(7)]
    block = columns.pack("f", numbers)
    directory = Directory.read(block[: HEAD_BYTES + OFFSET_BYTES * 8])
    begin, end = struct.unpack_from(">2I", block, HEAD_BYTES + OFFSET_BYTES * 4)

    assert (directory.columns, directory.rows, directory.code) == (7, 100, "f")
    assert directory.unpack(block[begin:end]) == numbers[4]
    assert directory.span(4) == slice(begin, end)


def test_a_column_that_is_not_there_is_no_other_column() -> None:
    directory = Directory.read(columns.pack("d", [array("d", [1.0])]))

    for column in (-1, 1):
        with pytest.raises(IndexError):
            directory.span(column)


def test_columns_that_hardly_change_take_hardly_any_room() -> None:
    grid = array("q", range(1_790_000_000_000_000, 1_790_003_600_000_000, 5_000_000))
    constant = array("d", [34_359_738_368.0] * 720)

    assert len(columns.pack("q", [grid])) < 70
    assert len(columns.pack("d", [constant])) < 70


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([array("d", [1.0]), array("d", [1.0, 2.0])], id="lengths differ"),
        pytest.param([array("d", [1.0]), array("f", [1.0])], id="types differ"),
    ],
)
def test_columns_that_do_not_fit_each_other_are_refused(numbers: list["array[float]"]) -> None:
    with pytest.raises(ValueError, match="one type and one length"):
        columns.pack("d", numbers)


def test_planes_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="take 16 bytes"):
        columns.pack_planes("d", 2, [b"1234567"])


BLOCK = columns.pack("d", [array("d", [1.0, 2.0, 3.0])])
BEGIN = HEAD_BYTES + 2 * OFFSET_BYTES


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(BLOCK[:4], id="within the head"),
        pytest.param(BLOCK[: HEAD_BYTES + 3], id="within the offsets"),
        pytest.param(BLOCK[:-1], id="cut off"),
        pytest.param(b"\x02" + BLOCK[1:], id="another version"),
        pytest.param(BLOCK[:1] + b"x" + BLOCK[2:], id="another type"),
        pytest.param(BLOCK[:7] + b"\x04" + BLOCK[8:], id="another number of rows"),
        pytest.param(BLOCK[:BEGIN] + b"no frame", id="no frame"),
        pytest.param(BLOCK[:-6] + bytes([BLOCK[-6] ^ 1]) + BLOCK[-5:], id="a bit turned"),
    ],
)
def test_a_damaged_block_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"block|column"):
        columns.unpack(damaged)

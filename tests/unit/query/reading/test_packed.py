"""Columns are cut out of blocks as a database cuts them, whichever are asked for."""

import math
from array import array
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.blobs import pack_blobs
from flick.columns import Directory, pack
from flick.errors import FlickError, Kind
from services.query.reading.packed import read_all_numbers, read_blob, read_columns, read_last, read_numbers, runs_of

COLUMNS = [array("f", [place + 0.5, math.inf, place * 2]) for place in range(10)]
BLOCK = pack("f", COLUMNS)


def _streams(block: bytes, runs: Sequence[tuple[int, int]]) -> list[bytes]:
    """What SQL cuts out: from the first column of each run to its last, as far as there are any."""
    directory = Directory.read(block)
    ends = [[directory.offsets[min(place, directory.columns)] for place in run] for run in runs]
    return [block[begin:end] for begin, end in ends]


@given(st.lists(st.integers(0, 14), min_size=1, max_size=12))
def test_a_column_is_the_one_that_was_packed_or_none_that_the_block_has_not(places: list[int]) -> None:
    runs = runs_of(places)

    found = read_columns(BLOCK, _streams(BLOCK, runs), runs, places, rows=3)

    absent = [math.nan] * len(COLUMNS[0])
    np.testing.assert_array_equal(found, [COLUMNS[place] if place < len(COLUMNS) else absent for place in places])


@given(
    st.integers(0, 30).flatmap(
        lambda rows: st.lists(
            st.lists(st.integers(-(2**60), 2**60), min_size=rows, max_size=rows), min_size=1, max_size=3
        )
    )
)
def test_whole_numbers_are_those_that_were_packed(columns: list[list[int]]) -> None:
    packed = pack("q", [array("q", column) for column in columns])

    assert read_all_numbers(packed).tolist() == columns
    assert read_numbers(packed).tolist() == columns[0]


def test_a_block_without_columns_has_no_values() -> None:
    found = read_columns(pack("f", []), [b""], [(0, 2)], [0, 1], rows=5)

    assert found.shape == (2, 5)
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("places", "runs"),
    [
        ([], []),
        ([3], [(3, 4)]),
        ([5, 3, 4, 3], [(3, 6)]),
        ([9, 0, 1, 5], [(0, 2), (5, 6), (9, 10)]),
    ],
    ids=["none", "one", "side by side", "apart"],
)
def test_columns_that_lie_side_by_side_are_one_run(places: list[int], runs: list[tuple[int, int]]) -> None:
    assert runs_of(places) == runs


def test_the_last_values_are_those_of_every_column() -> None:
    assert read_last(BLOCK) == [column[-1] for column in COLUMNS]


@pytest.mark.parametrize(
    "read",
    [
        lambda: read_numbers(pack("q", [array("q", range(100))])[:-1]),
        lambda: read_numbers(BLOCK),
        lambda: read_columns(pack("q", [array("q", [1])]), [b""], [(0, 1)], [0], rows=1),
        lambda: read_columns(BLOCK, _streams(BLOCK, [(0, 1)]), [(0, 1)], [0], rows=4),
        lambda: read_last(BLOCK[:-1]),
        lambda: read_blob(pack_blobs([b"one", b"two"])[:-1], 0),
        lambda: read_columns(BLOCK[:20], [b""], [(0, 1)], [0], rows=3),
        lambda: read_columns(BLOCK, [b"nonsense" * 10], [(0, 1)], [0], rows=3),
    ],
    ids=[
        "numbers",
        "values as numbers",
        "numbers as values",
        "more times than values",
        "last values",
        "blob",
        "head",
        "stream",
    ],
)
def test_damage_is_told_as_lost_data(read: Callable[[], object]) -> None:
    with pytest.raises(FlickError) as told:
        read()

    assert told.value.kind is Kind.DATA_LOSS

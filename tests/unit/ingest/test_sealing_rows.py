"""Samples as arrays in their binary form: every value is found in its column, and some of them are those."""

import math
import struct
import uuid
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick import columns
from services.ingest.sealing.blocks import seal_samples
from services.ingest.sealing.rows import join_samples, read_samples

CORE = 49
EPOCH_US = 946_684_800_000_000
BEGIN_US = 1_790_000_000_000_000

numbers = st.floats(width=32)


@st.composite
def alike(draw: st.DrawFn) -> list[tuple[list[float], list[float]]]:
    """Core and labelled values of samples that have as many."""
    width = draw(st.integers(0, 4))
    core = st.lists(numbers, min_size=CORE, max_size=CORE)
    return draw(st.lists(st.tuples(core, st.lists(numbers, min_size=width, max_size=width)), min_size=1, max_size=12))


def times_of(times_us: Sequence[int]) -> bytes:
    return b"".join(struct.pack(">q", one - EPOCH_US) for one in times_us)


def matrix_of(rows: Sequence[Sequence[float]], kind: str) -> bytes:
    return b"".join(struct.pack(f">{kind}", value) for row in rows for value in row)


def row_of(values: Sequence[tuple[list[float], list[float]]]) -> dict[str, object]:
    """What PostgreSQL tells of samples; each came 3 microseconds after it was measured."""
    times = [BEGIN_US + at * 5_000_000 for at in range(len(values))]
    return {
        "organization_id": uuid.UUID(int=7),
        "layout_id": 3,
        "times": times_of(times),
        "received": times_of([one + 3 for one in times]),
        "core": matrix_of([core for core, _ in values], "d"),
        "labelled": matrix_of([labelled for _, labelled in values], "f"),
    }


def same(found: Sequence[float], given: Sequence[float]) -> bool:
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found, given, strict=True))


@given(alike())
def test_every_value_is_found_in_its_column(values: list[tuple[list[float], list[float]]]) -> None:
    samples = read_samples(row_of(values))
    block = seal_samples(samples)
    core, labelled = columns.unpack(block.core), columns.unpack(block.labelled or b"")

    assert list(samples.times) == [BEGIN_US + at * 5_000_000 for at in range(len(values))]
    assert columns.unpack(block.lags)[0].tolist() == [3] * len(values)
    assert (samples.organization_id, samples.layout_id) == (uuid.UUID(int=7), 3)
    for row, one in enumerate(values):
        assert same([column[row] for column in core], one[0])
        assert same([column[row] for column in labelled], one[1])
        assert block.content(row) == samples.content(row)


@given(st.lists(st.integers(0, 9), unique=True))
def test_some_of_the_samples_are_those_and_no_others(kept: list[int]) -> None:
    samples = read_samples(row_of([([float(at)] * CORE, [float(at)] * 2) for at in range(10)]))
    some = samples.only(np.array(kept, int))

    assert [some.content(row) for row in range(len(some))] == [samples.content(row) for row in kept]
    assert list(some.times) == [samples.times[row] for row in kept]
    assert list(some.received) == [samples.received[row] for row in kept]


@given(st.permutations(range(8)), st.integers(1, 7))
def test_samples_stand_in_the_order_of_time_however_they_come(places: list[int], first: int) -> None:
    pieces = []
    for some in (places[:first], places[first:]):
        row = row_of([([float(at)] * CORE, [float(at)]) for at in some])
        row["times"] = row["received"] = times_of([BEGIN_US + at for at in some])
        pieces.append(read_samples(row))
    samples = join_samples(pieces)

    assert list(samples.times) == list(samples.received) == [BEGIN_US + at for at in range(8)]
    assert [column.tolist() for column in columns.unpack(seal_samples(samples).labelled or b"")] == [list(range(8))]


@given(st.lists(st.lists(numbers, max_size=6), min_size=1, max_size=12))
def test_samples_that_have_measured_less_than_others_are_one_block_with_them(values: list[list[float]]) -> None:
    pieces = [read_samples(row_of([(core, [0.5])])) for core in values]
    for at, one in enumerate(pieces):
        one.times[0] += at
    samples = join_samples(pieces)
    block = seal_samples(samples)
    core = columns.unpack(block.core)

    assert len(core) == max(map(len, values))
    for row, given_values in enumerate(values):
        unknown = [math.nan] * (len(core) - len(given_values))
        assert same([column[row] for column in core], [*given_values, *unknown])
        assert block.content(row) == samples.content(row) == pieces[row].content(0)


@pytest.mark.parametrize("cut", [1, 4, 7])
def test_values_that_are_cut_off_are_refused(cut: int) -> None:
    row = row_of([([1.0, 2.0], [0.5])] * 3)
    row["core"] = b"".join(struct.pack(">dd", 1, 2)[:-cut] for _ in range(3))

    with pytest.raises(ValueError, match=r"."):
        read_samples(row)


def test_samples_without_labelled_values_have_none() -> None:
    row = row_of([([1.0], [])] * 2)
    row["labelled"] = None

    assert read_samples(row).labelled.shape == (0, 2)

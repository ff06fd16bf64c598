"""Samples as records: their columns are found whatever stands beside them, and samples of one shape come together."""

import math
import struct
import uuid
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick import columns
from services.ingest.intake.samples import CORE_COLUMNS
from services.ingest.sealing.blocks import seal_samples
from services.ingest.sealing.rows import Samples, read_samples

CORE = len(CORE_COLUMNS)
EPOCH_US = 946_684_800_000_000
OWNERS = (uuid.UUID(int=7), uuid.UUID(int=8))

Sample = tuple[uuid.UUID, int, list[float], list[float]]
numbers = st.floats(width=32)
# A layout's number says how many values it has, as in life.
some = st.builds(
    lambda owner, layout, core, labelled: (owner, layout, core, labelled[: 2 * layout]),
    st.sampled_from(OWNERS),
    st.integers(0, 2),
    st.lists(numbers, min_size=CORE, max_size=CORE),
    st.lists(numbers, min_size=4, max_size=4),
)


def cell(kind: int, value: bytes | None) -> bytes:
    return struct.pack(">Ii", kind, -1 if value is None else len(value)) + (value or b"")


def array_of(values: Sequence[float], *, dimensions: int = 1) -> bytes:
    if not values:
        return struct.pack(">3i", 0, 0, 700)
    sizes = struct.pack(">2i", len(values), 1) * dimensions
    return struct.pack(">3i", dimensions, 0, 700) + sizes + b"".join(struct.pack(">if", 4, one) for one in values)


def record(at: int, sample: Sample, *, dimensions: int = 1) -> bytes:
    """What `record_send` makes of a sample; it came 3 microseconds later."""
    owner, layout, core, labelled = sample
    time_us = 1_790_000_000_000_000 + at * 5_000_000 - EPOCH_US
    cells = [
        cell(1184, struct.pack(">q", time_us)),
        cell(1184, struct.pack(">q", time_us + 3)),
        cell(2950, owner.bytes),
        cell(23, struct.pack(">i", layout)),
        *(cell(701, struct.pack(">d", value)) for value in core),
        cell(1021, array_of(labelled, dimensions=dimensions) if layout else None),
    ]
    return struct.pack(">i", len(cells)) + b"".join(cells)


def same(found: Sequence[float], given: Sequence[float]) -> bool:
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found, given, strict=True))


@given(st.lists(some, max_size=12))
def test_every_sample_is_found_with_those_of_its_shape(given_samples: list[Sample]) -> None:
    found = read_samples(b"".join(record(at, one) for at, one in enumerate(given_samples)))

    assert sum(map(len, found)) == len(given_samples)
    assert len({(one.organization_id, one.layout_id) for one in found}) == len(found)
    for samples in found:
        mine = [
            (at, one) for at, one in enumerate(given_samples) if one[:2] == (samples.organization_id, samples.layout_id)
        ]
        block = seal_samples(samples)
        core, labelled = columns.unpack(block.core), columns.unpack(block.labelled) if block.labelled else []

        assert list(samples.times()) == [1_790_000_000_000_000 + at * 5_000_000 for at, _ in mine]
        assert columns.unpack(block.lags)[0].tolist() == [3] * len(mine)
        for row, (_, one) in enumerate(mine):
            assert same([column[row] for column in core], one[2])
            assert same([column[row] for column in labelled], one[3])
            assert block.content(row) == samples.content(row)


@given(st.lists(st.integers(0, 9), unique=True))
def test_some_of_the_samples_are_those_and_no_others(kept: list[int]) -> None:
    given_samples: list[Sample] = [(OWNERS[0], 1, [float(at)] * CORE, [float(at)] * 2) for at in range(10)]
    (samples,) = read_samples(b"".join(record(at, one) for at, one in enumerate(given_samples)))
    some = samples.only(kept)

    assert isinstance(some, Samples)
    assert [some.content(row) for row in range(len(some))] == [samples.content(row) for row in kept]


def test_labelled_values_that_are_no_plain_list_are_refused() -> None:
    with pytest.raises(ValueError, match="several dimensions"):
        read_samples(record(0, (OWNERS[0], 1, [0.0] * CORE, [1.0, 2.0]), dimensions=2))


def test_no_record_is_no_sample() -> None:
    assert read_samples(b"") == []

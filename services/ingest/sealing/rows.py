"""Rows of samples as binary COPY gives them, and their columns as slices of that: no value becomes an object. Pure.

Every row of one shape has its values at the same places, so those of one column lie a row's width apart. Null comes as
NaN, which is never stored: see `queries.sql`. Source: PostgreSQL's documentation of COPY, "Binary Format".
"""

import struct
import sys
import uuid
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from services.ingest.intake.samples import CORE_COLUMNS

Times: TypeAlias = "array[int]"
"""Microseconds since the Unix epoch."""

_HEADER_BYTES = 19  # signature, flags, and the length of an extension that nobody writes
_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01 in UTC

# Where values begin within a row: behind the number of columns (2 bytes), each behind its own length (4 bytes).
_TIME = 6
_RECEIVED = 18
_ORGANIZATION = 30
_LAYOUT = 50
_CORE = 58
_CORE_STEP = 12
_LABELLED = _CORE + _CORE_STEP * len(CORE_COLUMNS) - 4  # its length
_ELEMENTS = 24  # from there: dimensions, flags, type, size, lower bound; an empty array ends behind the type
_REAL_STEP = 8  # an element's length and the element
_SNAPSHOT_ORGANIZATION = 18
_SNAPSHOT = 34

_read_integer = struct.Struct(">i").unpack_from


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one server that have the same owner and layout, in the order of time.

    Attributes:
        organization_id, layout_id: what they have in common; layout 0 is none.
        rows: each as it came.
    """

    organization_id: uuid.UUID
    layout_id: int
    rows: Sequence[bytes]

    @property
    def series(self) -> int:
        """How many labelled values each has."""
        return max(0, len(self.rows[0]) - _LABELLED - _ELEMENTS) // _REAL_STEP

    def times(self) -> Times:
        """When they were measured."""
        return _moments(self.rows, _TIME)

    def received(self) -> Times:
        """When they were received."""
        return _moments(self.rows, _RECEIVED)

    def core(self) -> Iterator[bytes]:
        """The planes of each scalar metric's column: the first bytes of its values, then the second ones, and so on."""
        return _planes(b"".join(self.rows), len(self.rows[0]), _CORE, _CORE_STEP, len(CORE_COLUMNS), 8)

    def labelled(self) -> Iterator[bytes]:
        """The same of the labelled values."""
        first = _LABELLED + _ELEMENTS + 4
        return _planes(b"".join(self.rows), len(self.rows[0]), first, _REAL_STEP, self.series, 4)

    def content(self, row: int) -> bytes:
        """What one sample holds, but for its time and its receipt: core, then labelled values."""
        wire, first = self.rows[row], _LABELLED + _ELEMENTS + 4
        core = (wire[at : at + 8] for at in range(_CORE, _LABELLED, _CORE_STEP))
        return b"".join((*core, *(wire[at : at + 4] for at in range(first, len(wire), _REAL_STEP))))


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Snapshots of processes of one server and owner, in the order of time."""

    organization_id: uuid.UUID
    times: Times
    packed: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read of a span of one server."""

    samples: Sequence[Samples] = ()
    snapshots: Sequence[Snapshots] = ()

    def __bool__(self) -> bool:
        return bool(self.samples or self.snapshots)

    @property
    def sample_count(self) -> int:
        """How many samples there are."""
        return sum(len(one.rows) for one in self.samples)

    @property
    def snapshot_count(self) -> int:
        """How many snapshots there are."""
        return sum(len(one.packed) for one in self.snapshots)


def read_samples(copied: bytes) -> list[Samples]:
    """The samples of a COPY of `copy_samples`, by owner and layout.

    Raises ValueError when labelled values are no plain list.
    """
    found: dict[bytes, list[bytes]] = {}
    position = _HEADER_BYTES
    while copied[position : position + 2] != b"\xff\xff":
        length = _read_integer(copied, position + _LABELLED)[0]
        end = position + _LABELLED + 4 + max(length, 0)  # of null it is -1
        if length > 0 and (dimensions := _read_integer(copied, position + _LABELLED + 4)[0]) > 1:
            raise ValueError(f"labelled values have {dimensions} dimensions")
        shape = copied[position + _ORGANIZATION : position + _LAYOUT + 4] + (end - position).to_bytes(4)
        found.setdefault(shape, []).append(copied[position:end])
        position = end
    return [Samples(uuid.UUID(bytes=shape[:16]), int.from_bytes(shape[20:24]), rows) for shape, rows in found.items()]


def read_snapshots(copied: bytes) -> list[Snapshots]:
    """The snapshots of a COPY of `copy_snapshots`, by owner."""
    found: dict[bytes, list[bytes]] = {}
    position = _HEADER_BYTES
    while copied[position : position + 2] != b"\xff\xff":
        end = position + _SNAPSHOT + 4 + _read_integer(copied, position + _SNAPSHOT)[0]
        owner = copied[position + _SNAPSHOT_ORGANIZATION : position + _SNAPSHOT]
        found.setdefault(owner, []).append(copied[position:end])
        position = end
    return [
        Snapshots(uuid.UUID(bytes=owner), _moments(rows, _TIME), [row[_SNAPSHOT + 4 :] for row in rows])
        for owner, rows in found.items()
    ]


def _moments(rows: Sequence[bytes], at: int) -> Times:
    moments = array("q", b"".join([row[at : at + 8] for row in rows]))
    if sys.byteorder == "little":
        moments.byteswap()
    return array("q", [moment + _EPOCH_US for moment in moments])


def _planes(matrix: bytes, width: int, first: int, step: int, columns: int, size: int) -> Iterator[bytes]:
    for begin in range(first, first + step * columns, step):
        yield b"".join([matrix[place::width] for place in range(begin, begin + size)])

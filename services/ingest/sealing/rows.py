"""Rows of samples as PostgreSQL sends them, and their columns as slices of that: no value becomes an object. Pure.

Samples come as records one behind the other, as PostgreSQL's `record_send` makes them: how many columns, and of each
its type, its length and its value. Every record of one shape has its values at the same places, so those of one column
lie a record's width apart. Null comes as NaN, which is never stored: see `queries.sql`. Snapshots come by binary COPY.
"""

import itertools
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

_Shape: TypeAlias = tuple[bytes, int]
"""What records have in common whose values lie at the same places: their owner and layout, and how long each is."""

_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01 in UTC

# Where values begin within the record of a sample; each stands behind its type and its length, 4 bytes each.
_TIME = 12
_RECEIVED = 28
_ORGANIZATION = 44
_LAYOUT = 68
_CORE = 80
_CORE_STEP = 16
_LABELLED = _CORE + _CORE_STEP * len(CORE_COLUMNS)
_ELEMENTS = 24  # from there: dimensions, flags, type, size, lower bound, and the length of the first element
_REAL_STEP = 8  # an element's value and the length of the next

# The same of a snapshot's row in a COPY: behind the number of columns, each behind its length.
_COPY_HEADER_BYTES = 19  # signature, flags, and the length of an extension that nobody writes
_COPY_TIME = 6
_COPY_ORGANIZATION = 18
_COPY_SNAPSHOT = 38

_read_integer = struct.Struct(">i").unpack_from


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one server that have the same owner and layout, in the order of time.

    Attributes:
        organization_id, layout_id: what they have in common; layout 0 is none.
        matrix: their records one behind the other.
        width: how long each is, in bytes.
    """

    organization_id: uuid.UUID
    layout_id: int
    matrix: bytes
    width: int

    def __len__(self) -> int:
        return len(self.matrix) // self.width

    def times(self) -> Times:
        """When they were measured."""
        return self._moments(_TIME)

    def received(self) -> Times:
        """When they were received."""
        return self._moments(_RECEIVED)

    def core(self) -> Iterator[bytes]:
        """The planes of each scalar metric's column: the first bytes of its values, then the second ones, and so on."""
        return self._planes(range(_CORE, _LABELLED, _CORE_STEP), size=8)

    def labelled(self) -> Iterator[bytes]:
        """The same of the labelled values."""
        return self._planes(range(_LABELLED + _ELEMENTS, self.width, _REAL_STEP), size=4)

    def content(self, row: int) -> bytes:
        """What one sample holds, but for its time and its receipt: core, then labelled values."""
        wire = self._row(row)
        core = (wire[at : at + 8] for at in range(_CORE, _LABELLED, _CORE_STEP))
        return b"".join((*core, *(wire[at : at + 4] for at in range(_LABELLED + _ELEMENTS, self.width, _REAL_STEP))))

    def only(self, rows: Sequence[int]) -> "Samples":
        """Some of them."""
        return Samples(self.organization_id, self.layout_id, b"".join(map(self._row, rows)), self.width)

    def _row(self, row: int) -> bytes:
        return self.matrix[row * self.width : (row + 1) * self.width]

    def _moments(self, first: int) -> Times:
        return _moments([self.matrix[at : at + 8] for at in range(first, len(self.matrix), self.width)])

    def _planes(self, columns: Sequence[int], *, size: int) -> Iterator[bytes]:
        for begin in columns:
            yield b"".join([self.matrix[place :: self.width] for place in range(begin, begin + size)])


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Snapshots of processes of one server and owner, in the order of time."""

    organization_id: uuid.UUID
    times: Times
    packed: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows there are of samples and of their snapshots."""

    samples: int = 0
    snapshots: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.samples + other.samples, self.snapshots + other.snapshots)

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(self.samples - other.samples, self.snapshots - other.snapshots)


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read of a span of one server."""

    samples: Sequence[Samples] = ()
    snapshots: Sequence[Snapshots] = ()

    def __bool__(self) -> bool:
        return bool(self.samples or self.snapshots)

    @property
    def tally(self) -> Tally:
        """How many there are."""
        return Tally(sum(map(len, self.samples)), sum(len(one.packed) for one in self.snapshots))


def read_samples(records: bytes) -> list[Samples]:
    """The samples of `read_samples` in `queries.sql`, by owner and layout.

    Raises ValueError when labelled values are no plain list.
    """
    if not records:
        return []
    shape = _shape(records, 0)
    if _are_alike(records, shape[1]):
        return [_samples(shape, records)]
    found: dict[_Shape, list[bytes]] = {}
    begin = position = 0
    last: _Shape | None = None
    while position < len(records):
        shape = _shape(records, position)
        if shape != last:
            if last is not None:
                found.setdefault(last, []).append(records[begin:position])
            begin, last = position, shape
        position += shape[1]
    if last is not None:
        found.setdefault(last, []).append(records[begin:])
    return [_samples(shape, b"".join(pieces)) for shape, pieces in found.items()]


def read_snapshots(copied: bytes) -> list[Snapshots]:
    """The snapshots of a COPY of `copy_snapshots`, by owner."""
    found: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    position = _COPY_HEADER_BYTES
    while copied[position : position + 2] != b"\xff\xff":
        begin = position + _COPY_SNAPSHOT
        end = begin + _read_integer(copied, begin - 4)[0]
        moments, packed = found.setdefault(copied[position + _COPY_ORGANIZATION : begin - 4], ([], []))
        moments.append(copied[position + _COPY_TIME : position + _COPY_TIME + 8])
        packed.append(copied[begin:end])
        position = end
    return [Snapshots(uuid.UUID(bytes=owner), _moments(moments), packed) for owner, (moments, packed) in found.items()]


def _shape(records: bytes, position: int) -> _Shape:
    """The shape of the record at a position."""
    length = max(0, _read_integer(records, position + _LABELLED - 4)[0])  # of null it is -1
    if length and _read_integer(records, position + _LABELLED)[0] > 1:
        raise ValueError("labelled values have several dimensions")
    return records[position + _ORGANIZATION : position + _LAYOUT + 4], _LABELLED + length


def _are_alike(records: bytes, width: int) -> bool:
    """Whether all records have the shape of the first, which is `width` bytes wide, as nearly all of an hour have.

    If the bytes that tell the shape are the same in all places that lie `width` apart, each record ends there, too.
    """
    if len(records) % width:
        return False
    places = itertools.chain(range(_ORGANIZATION, _LAYOUT + 4), range(_LABELLED - 4, min(_LABELLED + 4, width)))
    return all(len(set(records[place::width])) == 1 for place in places)


def _samples(shape: _Shape, matrix: bytes) -> Samples:
    common, width = shape
    return Samples(uuid.UUID(bytes=common[:16]), int.from_bytes(common[-4:]), matrix, width)


def _moments(big_endian: Sequence[bytes]) -> Times:
    moments = array("q", b"".join(big_endian))
    if sys.byteorder == "little":
        moments.byteswap()
    return array("q", [moment + _EPOCH_US for moment in moments])

"""Rows of samples as PostgreSQL sends them, and their columns as slices of that: no value becomes an object. Pure.

Values come as arrays in the binary form of `array_send`: a head, then of each value its length and the value itself.
All samples of one array have as many values, so those of one column lie a sample's width apart. Null comes as NaN,
which is never stored: see `queries.sql`.
"""

import struct
import sys
import uuid
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import lt
from typing import Any, TypeAlias

Times: TypeAlias = "array[int]"
"""Microseconds since the Unix epoch."""

_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01 in UTC
_HEAD = struct.Struct(">iiI")  # dimensions, whether there are nulls, type of the values
_DIMENSION_BYTES = 8  # how many, and the number of the first
_LENGTH_BYTES = 4  # in front of each value


@dataclass(frozen=True, slots=True)
class Matrix:
    """Values of samples, one sample behind the other.

    Attributes:
        data: of each value its length in 4 bytes and the value, big-endian.
        width: bytes of a sample; 0: it has no values.
        size: bytes of a value.
    """

    data: bytes
    width: int
    size: int

    @classmethod
    def read(cls, sent: bytes | None, *, rows: int, size: int) -> "Matrix":
        """An array of the values of some samples, one dimension for the samples and one for their values.

        Raises ValueError when it is anything else.
        """
        if sent is None:
            return cls(b"", 0, size)
        dimensions, has_null, _ = _HEAD.unpack_from(sent)
        data = sent[_HEAD.size + 2 * _DIMENSION_BYTES :]
        if dimensions != 2 or has_null or len(data) % (rows * (_LENGTH_BYTES + size)):
            raise ValueError(f"values of {rows} samples have {dimensions} dimensions, or nulls among them")
        return cls(data, len(data) // rows, size)

    def columns(self) -> Iterator[bytes]:
        """The planes of each column: the first bytes of its values, then the second ones, and so on."""
        for begin in range(_LENGTH_BYTES, self.width, _LENGTH_BYTES + self.size):
            yield b"".join([self.data[place :: self.width] for place in range(begin, begin + self.size)])

    def content(self, row: int) -> bytes:
        """The values of one sample."""
        begin, end = row * self.width, (row + 1) * self.width
        step = _LENGTH_BYTES + self.size
        return b"".join(self.data[at : at + self.size] for at in range(begin + _LENGTH_BYTES, end, step))

    def only(self, rows: Iterable[int]) -> "Matrix":
        """Some of the samples."""
        kept = b"".join(self.data[row * self.width : (row + 1) * self.width] for row in rows)
        return Matrix(kept, self.width, self.size)


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one server that have the same owner and layout, in the order of time.

    Attributes:
        organization_id, layout_id: what they have in common; layout 0 is none.
        times, received: when each was measured, and when it came.
        core, labelled: their values.
    """

    organization_id: uuid.UUID
    layout_id: int
    times: Times
    received: Times
    core: Matrix
    labelled: Matrix

    def __len__(self) -> int:
        return len(self.times)

    def content(self, row: int) -> bytes:
        """What one sample holds, but for its time and its receipt: core, then labelled values."""
        return self.core.content(row) + self.labelled.content(row)

    def only(self, rows: Sequence[int]) -> "Samples":
        """Some of them."""
        return Samples(
            self.organization_id,
            self.layout_id,
            array("q", [self.times[row] for row in rows]),
            array("q", [self.received[row] for row in rows]),
            self.core.only(rows),
            self.labelled.only(rows),
        )


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

    @property
    def tally(self) -> Tally:
        """How many there are."""
        return Tally(sum(map(len, self.samples)), sum(len(one.packed) for one in self.snapshots))


def read_samples(row: Any) -> Samples:
    """The samples of a row of `read_samples` in `queries.sql`. Raises ValueError when values are no plain lists."""
    times = read_times(row["times"])
    samples = Samples(
        row["organization_id"],
        row["layout_id"],
        times,
        read_times(row["received"]),
        Matrix.read(row["core"], rows=len(times), size=8),
        Matrix.read(row["labelled"], rows=len(times), size=4),
    )
    if all(map(lt, times, times[1:])):
        return samples
    return samples.only(sorted(range(len(times)), key=times.__getitem__))


def read_snapshots(rows: Iterable[Any]) -> list[Snapshots]:
    """The snapshots of rows of `read_snapshots`, by owner."""
    found: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for moment, owner, snapshot in rows:
        moments, packed = found.setdefault(owner, ([], []))
        moments.append(moment)
        packed.append(snapshot)
    return [
        Snapshots(uuid.UUID(bytes=owner), _moments(b"".join(moments)), packed)
        for owner, (moments, packed) in found.items()
    ]


def read_times(sent: bytes) -> Times:
    """The moments of an array of them."""
    data, width = sent[_HEAD.size + _DIMENSION_BYTES :], _LENGTH_BYTES + 8
    planes = [data[place::width] for place in range(_LENGTH_BYTES, width)]
    joined = bytearray(8 * len(planes[0]))
    for place, plane in enumerate(planes):
        joined[place::8] = plane
    return _moments(bytes(joined))


def _moments(big_endian: bytes) -> Times:
    moments = array("q", big_endian)
    if sys.byteorder == "little":
        moments.byteswap()
    return array("q", [moment + _EPOCH_US for moment in moments])

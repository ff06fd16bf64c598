"""Rows of samples as PostgreSQL sends them, and their columns as arrays: no value becomes an object. Pure.

Values come as arrays in the binary form of `array_send`: a head, then of each value its length and the value itself.
All samples of one array have as many values, so those of one column lie a sample's width apart. Null comes as NaN,
which is never stored: see `queries.sql`.
"""

import struct
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.ingest.arrays import Numbers, Wholes, big_endian
from services.ingest.rollups.minutes import Part

_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01 in UTC
_HEAD = struct.Struct(">iiI")  # dimensions, whether there are nulls, type of the values
_DIMENSION_BYTES = 8  # how many, and the number of the first
_LENGTH_BYTES = 4  # in front of each value


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one server that have the same owner and layout, in the order of time.

    Attributes:
        organization_id, layout_id: what they have in common; layout 0 is none.
        times, received: when each was measured, and when it came, in microseconds since the Unix epoch.
        core, labelled: a row of values for each metric and each place of the layout, big-endian.
    """

    organization_id: uuid.UUID
    layout_id: int
    times: Wholes
    received: Wholes
    core: Numbers
    labelled: Numbers

    def __len__(self) -> int:
        return len(self.times)

    @property
    def key(self) -> tuple[uuid.UUID, int, int]:
        """Those of the same key can be one block: their owner, their layout and how many labelled values they have."""
        return self.organization_id, self.layout_id, len(self.labelled)

    @property
    def nbytes(self) -> int:
        """How many bytes their values take."""
        return self.core.nbytes + self.labelled.nbytes

    def content(self, row: int) -> bytes:
        """What one sample holds, but for its time and its receipt: core, then labelled values."""
        return self.core[:, row].tobytes() + self.labelled[:, row].tobytes()

    def only(self, rows: Wholes) -> "Samples":
        """Some of them, by their numbers."""
        return Samples(
            self.organization_id,
            self.layout_id,
            self.times[rows],
            self.received[rows],
            self.core[:, rows],
            self.labelled[:, rows],
        )

    def part(self) -> Part:
        """The same to be rolled up."""
        return Part(
            organization_id=self.organization_id,
            layout_id=self.layout_id,
            moments=self.times,
            core=self.core,
            labelled=self.labelled if self.layout_id else None,
        )


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Snapshots of processes of one server and owner, in the order of time."""

    organization_id: uuid.UUID
    times: Wholes
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
        read_values(row["core"], rows=len(times), code="d"),
        read_values(row["labelled"], rows=len(times), code="f"),
    )
    if (np.diff(times) > 0).all():
        return samples
    return samples.only(np.argsort(times))


def join_samples(pieces: Sequence[Samples]) -> Samples:
    """Samples of the same key that lie one behind the other in time."""
    if len(pieces) == 1:
        return pieces[0]
    return Samples(
        pieces[0].organization_id,
        pieces[0].layout_id,
        np.concatenate([one.times for one in pieces]),
        np.concatenate([one.received for one in pieces]),
        np.concatenate([one.core for one in pieces], axis=1),
        np.concatenate([one.labelled for one in pieces], axis=1),
    )


def read_snapshots(rows: Iterable[Any]) -> list[Snapshots]:
    """The snapshots of rows of `read_snapshots`, by owner."""
    found: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for moment, owner, snapshot in rows:
        moments, packed = found.setdefault(owner, ([], []))
        moments.append(moment)
        packed.append(snapshot)
    return [
        Snapshots(uuid.UUID(bytes=owner), _moments(np.frombuffer(b"".join(moments), big_endian("q"))), packed)
        for owner, (moments, packed) in found.items()
    ]


def read_values(sent: bytes | None, *, rows: int, code: str) -> Numbers:
    """An array of the values of some samples, one dimension for the samples and one for their values.

    A row of numbers for each of their columns. Raises ValueError when it is anything else.
    """
    kind = big_endian(code)
    if sent is None:
        return np.empty((0, rows), kind)
    dimensions, has_null, _ = _HEAD.unpack_from(sent)
    head, width = _HEAD.size + 2 * _DIMENSION_BYTES, _LENGTH_BYTES + kind.itemsize
    if dimensions != 2 or has_null or (len(sent) - head) % (rows * width):
        raise ValueError(f"values of {rows} samples have {dimensions} dimensions, or nulls among them")
    cells = np.frombuffer(sent, np.uint8, offset=head).reshape(rows, -1, width)
    return np.ascontiguousarray(cells[:, :, _LENGTH_BYTES:].view(kind)[:, :, 0].T)


def read_times(sent: bytes) -> Wholes:
    """The moments of an array of them."""
    cells = np.frombuffer(sent, np.uint8, offset=_HEAD.size + _DIMENSION_BYTES).reshape(-1, _LENGTH_BYTES + 8)
    return _moments(cells[:, _LENGTH_BYTES:].view(big_endian("q"))[:, 0])


def _moments(sent: Numbers) -> Wholes:
    moments: Wholes = sent.astype(np.int64) + _EPOCH_US
    return moments

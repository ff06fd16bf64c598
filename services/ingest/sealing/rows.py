"""Rows of samples as PostgreSQL sends them, and their columns as arrays: no value becomes an object. Pure.

Times and values come side by side in their binary form, those of samples that have as many: the values of one column
lie a sample's width apart.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.ingest.arrays import Numbers, Wholes, big_endian
from services.ingest.rollups.minutes import Part

_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01 in UTC


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one server that have the same owner and layout.

    Attributes:
        organization_id, layout_id: what they have in common; layout 0 is none.
        times, received: when each was measured, and when it came, in microseconds since the Unix epoch.
        core, labelled: a row of values for each metric, up to the last one that was measured, and each place of the
            layout, big-endian.
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

    def content(self, row: int) -> tuple[bytes, bytes]:
        """What one sample holds, but for its time and its receipt."""
        return content_of(self.core[:, row], self.labelled[:, row])

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


def content_of(core: Numbers, labelled: Numbers) -> tuple[bytes, bytes]:
    """The bytes of a sample's values, whatever else its block has: core values up to the last one that was measured."""
    measured = np.flatnonzero(~np.isnan(core))
    known = core[: measured[-1] + 1] if len(measured) else core[:0]
    return known.astype(big_endian("d")).tobytes(), labelled.astype(big_endian("f")).tobytes()


def read_samples(row: Any) -> Samples:
    """The samples of a row of `read_samples` in `queries.sql`. Raises ValueError when values are cut off."""
    times = _read_times(row["times"])
    return Samples(
        row["organization_id"],
        row["layout_id"],
        times,
        _read_times(row["received"]),
        _read_values(row["core"], rows=len(times), code="d"),
        _read_values(row["labelled"] or b"", rows=len(times), code="f"),
    )


def join_samples(pieces: Sequence[Samples]) -> Samples:
    """Samples of the same key, in the order of time."""
    width = max(len(one.core) for one in pieces)
    samples = Samples(
        pieces[0].organization_id,
        pieces[0].layout_id,
        np.concatenate([one.times for one in pieces]),
        np.concatenate([one.received for one in pieces]),
        np.concatenate([_widened(one.core, width) for one in pieces], axis=1),
        np.concatenate([one.labelled for one in pieces], axis=1),
    )
    if (np.diff(samples.times) > 0).all():
        return samples
    return samples.only(np.argsort(samples.times))


def read_snapshots(rows: Iterable[Any]) -> list[Snapshots]:
    """The snapshots of rows of `read_snapshots`, by owner."""
    found: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for moment, owner, snapshot in rows:
        moments, packed = found.setdefault(owner, ([], []))
        moments.append(moment)
        packed.append(snapshot)
    return [
        Snapshots(uuid.UUID(bytes=owner), _read_times(b"".join(moments)), packed)
        for owner, (moments, packed) in found.items()
    ]


def _read_values(sent: bytes, *, rows: int, code: str) -> Numbers:
    """A row of numbers for each column of some samples."""
    return np.ascontiguousarray(np.frombuffer(sent, big_endian(code)).reshape(rows, -1).T)


def _widened(core: Numbers, width: int) -> Numbers:
    """The same with metrics that none of the samples has measured behind the others."""
    if len(core) == width:
        return core
    return np.concatenate([core, np.full((width - len(core), core.shape[1]), np.nan, big_endian("d"))])


def _read_times(sent: bytes) -> Wholes:
    return _moments(np.frombuffer(sent, big_endian("q")))


def _moments(sent: Numbers) -> Wholes:
    moments: Wholes = sent.astype(np.int64) + _EPOCH_US
    return moments

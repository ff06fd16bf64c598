"""Blocks as the tables of sealed hours hold them, made of rows and read again. Pure."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np

from flick.blobs import pack_blobs, unpack_blobs
from services.ingest import arrays
from services.ingest.arrays import Numbers, Wholes
from services.ingest.rollups.blocks import to_datetime
from services.ingest.rollups.minutes import Part
from services.ingest.sealing.rows import Samples, Snapshots, content_of


@dataclass(frozen=True, kw_only=True)
class SamplesBlock:
    """Samples of a server, as they are stored.

    Attributes:
        organization_id, layout_id: what they have in common; layout 0 is none.
        count: how many there are.
        first_time, last_time: of the first and the last one.
        times, lags: a column of each: when they were measured, and how many microseconds later they came.
        core, labelled: a column of each metric, and of each place of the layout; None without layout.
    """

    organization_id: uuid.UUID
    layout_id: int
    count: int
    first_time: datetime
    last_time: datetime
    times: bytes
    lags: bytes
    core: bytes
    labelled: bytes | None

    @cached_property
    def moments(self) -> Wholes:
        """When the samples were measured, in microseconds since the Unix epoch."""
        return _single(self.times)

    @cached_property
    def received(self) -> Wholes:
        """When they came."""
        return self.moments + _single(self.lags)

    def content(self, row: int) -> tuple[bytes, bytes]:
        """What one sample holds, as `Samples.content` tells it."""
        return content_of(self._core[:, row], self._labelled[:, row] if self._labelled is not None else np.empty(0))

    def part(self) -> Part:
        """The samples to be rolled up."""
        return Part(
            organization_id=self.organization_id,
            layout_id=self.layout_id,
            moments=self.moments,
            core=self._core,
            labelled=self._labelled,
        )

    @cached_property
    def _core(self) -> Numbers:
        return arrays.unpack(self.core)

    @cached_property
    def _labelled(self) -> Numbers | None:
        return arrays.unpack(self.labelled) if self.labelled is not None else None


@dataclass(frozen=True, kw_only=True)
class SnapshotsBlock:
    """Snapshots of a server's processes, as they are stored."""

    organization_id: uuid.UUID
    count: int
    first_time: datetime
    last_time: datetime
    times: bytes
    snapshots: bytes

    @cached_property
    def moments(self) -> Wholes:
        """When they were taken, in microseconds since the Unix epoch."""
        return _single(self.times)

    @cached_property
    def packed(self) -> list[bytes]:
        """The snapshots."""
        return unpack_blobs(self.snapshots)


def seal_samples(samples: Samples) -> SamplesBlock:
    """The block of some samples."""
    times = samples.times
    return SamplesBlock(
        organization_id=samples.organization_id,
        layout_id=samples.layout_id,
        count=len(samples),
        first_time=to_datetime(int(times[0])),
        last_time=to_datetime(int(times[-1])),
        times=arrays.pack("q", times[np.newaxis]),
        lags=arrays.pack("q", (samples.received - times)[np.newaxis]),
        core=arrays.pack("d", samples.core),
        labelled=arrays.pack("f", samples.labelled) if samples.layout_id else None,
    )


def seal_snapshots(snapshots: Snapshots) -> SnapshotsBlock:
    """The block of some snapshots."""
    return SnapshotsBlock(
        organization_id=snapshots.organization_id,
        count=len(snapshots.times),
        first_time=to_datetime(int(snapshots.times[0])),
        last_time=to_datetime(int(snapshots.times[-1])),
        times=arrays.pack("q", snapshots.times[np.newaxis]),
        snapshots=pack_blobs(snapshots.packed),
    )


def _single(block: bytes) -> Wholes:
    """The only column of a block."""
    numbers: Wholes = arrays.unpack(block)[0]
    return numbers

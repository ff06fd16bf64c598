"""Blocks as the tables of sealed hours hold them, made of rows and read again. Pure."""

import struct
import uuid
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from operator import add

from flick import columns
from flick.blobs import pack_blobs, unpack_blobs
from services.ingest.intake.samples import CORE_COLUMNS
from services.ingest.sealing.rows import Samples, Snapshots, Times

_EPOCH = datetime.fromtimestamp(0, tz=UTC)


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
    def moments(self) -> Times:
        """When the samples were measured."""
        return columns.unpack(self.times)[0]

    @cached_property
    def received(self) -> Times:
        """When they came."""
        (lags,) = columns.unpack(self.lags)
        return array("q", map(add, self.moments, lags))

    def content(self, row: int) -> bytes:
        """What one sample holds, as `Samples.content` tells it; metrics that are newer than the block: not measured."""
        core = [column[row] for column in self._core]
        core += [float("nan")] * (len(CORE_COLUMNS) - len(core))
        labelled = [column[row] for column in self._labelled]
        return struct.pack(f">{len(core)}d{len(labelled)}f", *core, *labelled)

    @cached_property
    def _core(self) -> list[columns.Numbers]:
        return columns.unpack(self.core)

    @cached_property
    def _labelled(self) -> list[columns.Numbers]:
        return columns.unpack(self.labelled) if self.labelled is not None else []


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
    def moments(self) -> Times:
        """When they were taken."""
        return columns.unpack(self.times)[0]

    @cached_property
    def packed(self) -> list[bytes]:
        """The snapshots."""
        return unpack_blobs(self.snapshots)


def seal_samples(samples: Samples) -> SamplesBlock:
    """The block of some samples."""
    times, count = samples.times, len(samples)
    return SamplesBlock(
        organization_id=samples.organization_id,
        layout_id=samples.layout_id,
        count=count,
        first_time=to_datetime(times[0]),
        last_time=to_datetime(times[-1]),
        times=columns.pack("q", [times]),
        lags=columns.pack("q", [array("q", [after - at for after, at in zip(samples.received, times, strict=True)])]),
        core=columns.pack_planes("d", count, samples.core.columns()),
        labelled=columns.pack_planes("f", count, samples.labelled.columns()) if samples.layout_id else None,
    )


def seal_snapshots(snapshots: Snapshots) -> SnapshotsBlock:
    """The block of some snapshots."""
    return SnapshotsBlock(
        organization_id=snapshots.organization_id,
        count=len(snapshots.times),
        first_time=to_datetime(snapshots.times[0]),
        last_time=to_datetime(snapshots.times[-1]),
        times=columns.pack("q", [snapshots.times]),
        snapshots=pack_blobs(snapshots.packed),
    )


def to_datetime(time_us: int) -> datetime:
    """A moment of microseconds since the Unix epoch, exactly."""
    return _EPOCH + timedelta(microseconds=time_us)

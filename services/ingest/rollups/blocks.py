"""Blocks as the tables of rollups hold them, made of buckets and read again. Pure."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from services.ingest import arrays
from services.ingest.arrays import Wholes
from services.ingest.rollups.buckets import Buckets, join

_EPOCH = datetime.fromtimestamp(0, tz=UTC)
_SIDE_BY_SIDE = 3  # columns of a metric: minimum, average, maximum
_PLACE = np.dtype(">u2")


@dataclass(frozen=True, kw_only=True)
class RollupBlock:
    """Buckets of a server, as they are stored; migration 0008 tells what is in them."""

    organization_id: uuid.UUID
    layout_id: int
    count: int
    first_time: datetime
    last_time: datetime
    times: bytes
    weights: bytes
    weight_places: bytes | None
    core: bytes
    labelled: bytes | None


@dataclass(frozen=True, kw_only=True)
class Rollup:
    """Buckets of a server's samples of one layout.

    Attributes:
        organization_id, layout_id: what they have in common; layout 0 is none.
        core: of the scalar metrics.
        labelled: of the places of the layout, in the same buckets; None without layout.
    """

    organization_id: uuid.UUID
    layout_id: int
    core: Buckets
    labelled: Buckets | None

    @property
    def first_time(self) -> datetime:
        """The beginning of the first bucket."""
        return to_datetime(int(self.core.times[0]))

    def gather(self, bucket_us: int) -> "Rollup":
        """The same in coarser buckets."""
        labelled = self.labelled.gather(bucket_us) if self.labelled is not None else None
        return replace(self, core=self.core.gather(bucket_us), labelled=labelled)


def join_layouts(parts: Iterable[Rollup]) -> list[Rollup]:
    """Parts of different times by layout; of two buckets of the same time the one of the later part, and its owner."""
    by_layout: dict[int, list[Rollup]] = {}
    for part in parts:
        by_layout.setdefault(part.layout_id, []).append(part)
    return [_join(same) for same in by_layout.values()]


def _join(parts: Sequence[Rollup]) -> Rollup:
    if len(parts) == 1:
        return parts[0]
    labelled = [one.labelled for one in parts if one.labelled is not None]
    return replace(parts[-1], core=join([one.core for one in parts]), labelled=join(labelled) if labelled else None)


def pack(rollup: Rollup) -> RollupBlock:
    """The block of some buckets."""
    times = rollup.core.times
    weights, places = _pack_weights(rollup)
    return RollupBlock(
        organization_id=rollup.organization_id,
        layout_id=rollup.layout_id,
        count=len(times),
        first_time=to_datetime(int(times[0])),
        last_time=to_datetime(int(times[-1])),
        times=arrays.pack("q", times[np.newaxis]),
        weights=weights,
        weight_places=places,
        core=_pack_values("d", rollup.core),
        labelled=_pack_values("f", rollup.labelled) if rollup.labelled is not None else None,
    )


def unpack(block: RollupBlock) -> Rollup:
    """The buckets of a block. Raises ValueError when it is damaged."""
    (times,) = arrays.unpack(block.times)
    weights = arrays.unpack(block.weights)
    of_metrics = None
    if block.weight_places is not None:
        of_metrics = weights[np.frombuffer(block.weight_places, _PLACE)]
    core = _unpack_values(times, weights[0], of_metrics, block.core)
    labelled = None
    if block.labelled is not None:
        rest = of_metrics[core.metrics :] if of_metrics is not None else None
        labelled = _unpack_values(times, weights[0], rest, block.labelled)
    return Rollup(organization_id=block.organization_id, layout_id=block.layout_id, core=core, labelled=labelled)


def to_datetime(time_us: int) -> datetime:
    """A moment of microseconds since the Unix epoch, exactly."""
    return _EPOCH + timedelta(microseconds=time_us)


def _pack_weights(rollup: Rollup) -> tuple[bytes, bytes | None]:
    """Different columns of weights, and which of them each metric has; that of all samples is the first one."""
    parts = [rollup.core, rollup.labelled] if rollup.labelled is not None else [rollup.core]
    base = rollup.core.weights[np.newaxis]
    if all(one.metric_weights is None for one in parts):
        return arrays.pack("q", base), None
    of_metrics = [
        one.metric_weights if one.metric_weights is not None else np.repeat(base, one.metrics, 0) for one in parts
    ]
    found: dict[bytes, int] = {}
    places = [found.setdefault(row.tobytes(), len(found)) for row in np.vstack((base, *of_metrics))]
    different = np.frombuffer(b"".join(found), np.int64).reshape(len(found), -1)
    return arrays.pack("q", different), np.array(places[1:], _PLACE).tobytes()


def _pack_values(code: str, buckets: Buckets) -> bytes:
    side_by_side = np.stack((buckets.low, buckets.average, buckets.high), axis=1)
    return arrays.pack(code, side_by_side.reshape(-1, len(buckets)))


def _unpack_values(times: Wholes, weights: Wholes, of_metrics: Wholes | None, packed: bytes) -> Buckets:
    values = arrays.unpack(packed).reshape(-1, _SIDE_BY_SIDE, len(times))
    return Buckets(
        times=times,
        weights=weights,
        metric_weights=of_metrics[: len(values)] if of_metrics is not None else None,
        low=values[:, 0],
        average=values[:, 1],
        high=values[:, 2],
    )

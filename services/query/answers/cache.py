"""The newest samples that ingest leaves in Redis. What is not there, or can't be had now, is simply not found."""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError

from flick.bus.client import Bus
from flick.bus.live import LATEST_KEY
from flick.v1 import telemetry_pb2
from services.query.layouts import Layouts
from services.query.metrics import QueryMetrics
from services.query.rules.measured import Measured, from_sample

_TIME = struct.Struct("<BQ")  # so begins a serialized sample: `Bus.keep_newest` builds on it, too
_TIME_TAG = telemetry_pb2.Sample.TIME_UNIX_NANO_FIELD_NUMBER << 3 | 1  # 64 bits

T = TypeVar("T")


class LatestCache:
    """The newest committed sample of each server.

    Args:
        bus: Redis.
        layouts: what the samples' layout ids mean.
        metrics: told what can't be read.
    """

    def __init__(self, *, bus: Bus, layouts: Layouts, metrics: QueryMetrics) -> None:
        self._bus = bus
        self._layouts = layouts
        self._metrics = metrics

    async def samples(self, server_ids: Sequence[str]) -> Mapping[str, Measured]:
        """The samples of those servers that have one here."""
        found = await self._read(server_ids, telemetry_pb2.Sample.FromString)
        layouts = await self._layouts.get([sample.layout_id for sample in found.values() if sample.layout_id])
        return {one: from_sample(sample, layouts.get(sample.layout_id, ())) for one, sample in found.items()}

    async def times_us(self, server_ids: Sequence[str]) -> Mapping[str, int]:
        """When the samples of those servers that have one here were measured, in microseconds."""
        return await self._read(server_ids, _time_us)

    async def _read(self, server_ids: Sequence[str], parse: Callable[[bytes], T]) -> dict[str, T]:
        values = await self._bus.get_fields(LATEST_KEY, server_ids)
        if values is None:
            self._metrics.redis_failures.labels("latest").inc()
            return {}
        found: dict[str, T] = {}
        for server_id, value in zip(server_ids, values, strict=True):
            if value is None:
                continue
            try:
                found[server_id] = parse(value)
            except DecodeError:
                self._metrics.malformed.labels("latest").inc()
        return found


def _time_us(sample: bytes) -> int:
    """When a sample was measured, without a look at the rest of it. Raises DecodeError where it does not begin so."""
    if len(sample) < _TIME.size:
        raise DecodeError("a sample is cut off")
    tag, time_unix_nano = _TIME.unpack_from(sample)
    if tag != _TIME_TAG:
        raise DecodeError("a sample begins with its time")
    return int(time_unix_nano) // 1000

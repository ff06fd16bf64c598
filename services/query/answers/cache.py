"""The newest samples that ingest leaves in Redis. What is not there, or can't be had now, is simply not found."""

from collections.abc import Mapping, Sequence

from google.protobuf.message import DecodeError

from flick.bus.client import Bus
from flick.bus.live import LATEST_KEY
from flick.v1 import telemetry_pb2
from services.query.layouts import Layouts
from services.query.metrics import QueryMetrics
from services.query.rules.measured import Measured, from_sample


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
        found = await self._read(server_ids)
        layouts = await self._layouts.get([sample.layout_id for sample in found.values() if sample.layout_id])
        return {one: from_sample(sample, layouts.get(sample.layout_id, ())) for one, sample in found.items()}

    async def times_us(self, server_ids: Sequence[str]) -> Mapping[str, int]:
        """When the samples of those servers that have one here were measured, in microseconds."""
        return {one: sample.time_unix_nano // 1000 for one, sample in (await self._read(server_ids)).items()}

    async def _read(self, server_ids: Sequence[str]) -> dict[str, telemetry_pb2.Sample]:
        values = await self._bus.get_fields(LATEST_KEY, server_ids)
        if values is None:
            self._metrics.redis_failures.labels("latest").inc()
            return {}
        found: dict[str, telemetry_pb2.Sample] = {}
        for server_id, value in zip(server_ids, values, strict=True):
            if value is None:
                continue
            try:
                found[server_id] = telemetry_pb2.Sample.FromString(value)
            except DecodeError:
                self._metrics.malformed.labels("latest").inc()
        return found

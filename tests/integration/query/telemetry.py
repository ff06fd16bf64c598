"""Writes what query reads, in the form in which ingest writes it."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import redis.asyncio

from flick.bus.client import Bus
from flick.bus.live import LATEST_KEY, samples_channel, watched_key
from flick.ids import new_id
from flick.v1 import catalog_pb2, telemetry_pb2

CORE = {number: name.removeprefix("METRIC_").lower() for name, number in catalog_pb2.Metric.items() if 0 < number < 500}
EPOCH = datetime.fromtimestamp(0, tz=UTC)
NAN = math.nan

ORGANIZATION = new_id()  # query finds rows by server, whoever owns it

Series = tuple[catalog_pb2.Metric.ValueType, Sequence[str]]


class Telemetry:
    """The schema `telemetry` as its owner sees it, and what ingest leaves in Redis."""

    def __init__(self, *, connection: "asyncpg.Connection[Any]", bus: Bus, redis: "redis.asyncio.Redis") -> None:
        self.connection = connection
        self.bus = bus
        self.redis = redis

    async def layout(self, server_id: str, *series: Series) -> int:
        """Store a layout; returns its id."""
        packed = telemetry_pb2.Layout(
            series=[telemetry_pb2.Series(metric=metric, label_values=labels) for metric, labels in series]
        ).SerializeToString()
        layout_id: int = await self.connection.fetchval(
            "insert into telemetry.layouts (server_id, organization_id, digest, series) values ($1, $2, $3, $4) "
            "returning layout_id",
            server_id,
            ORGANIZATION,
            hashlib.sha256(packed).digest(),
            packed,
        )
        return layout_id

    async def store(self, server_id: str, samples: Sequence[telemetry_pb2.Sample]) -> None:
        """Commit samples."""
        rows = [_row(server_id, sample) for sample in samples]
        await self.connection.copy_records_to_table(
            "metrics", schema_name="telemetry", columns=list(rows[0]), records=[tuple(row.values()) for row in rows]
        )

    async def store_processes(self, server_id: str, time_us: int, packed: bytes) -> None:
        """Commit a snapshot of processes."""
        await self.connection.execute(
            "insert into telemetry.processes (time, server_id, organization_id, snapshot) values ($1, $2, $3, $4)",
            EPOCH + timedelta(microseconds=time_us),
            server_id,
            ORGANIZATION,
            packed,
        )

    async def announce(self, server_id: str, sample: telemetry_pb2.Sample) -> None:
        """Leave a sample in Redis as the newest."""
        assert await self.bus.keep_newest(LATEST_KEY, {server_id: sample.SerializeToString()})

    async def publish(self, server_id: str, sample: telemetry_pb2.Sample) -> None:
        """Send a sample to whoever watches."""
        await self.bus.publish([(samples_channel(server_id), sample.SerializeToString())])

    async def subscribed(self, server_id: str) -> bool:
        """Whether somebody listens to what is published of the server."""
        ((_, count),) = await self.redis.pubsub_numsub(samples_channel(server_id))
        return bool(count)

    async def watched(self, server_id: str) -> bool:
        """Whether query has marked the server."""
        return any(await self.bus.remaining_s([watched_key(server_id)]) or ())


def sample(
    time_us: int, core: Mapping[int, float] | None = None, *, layout_id: int = 0, labelled: Sequence[float] = ()
) -> telemetry_pb2.Sample:
    """A sample with the values of some core metrics, by number."""
    values = core or {}
    return telemetry_pb2.Sample(
        time_unix_nano=time_us * 1000,
        core=[values.get(number, NAN) for number in range(1, max(values, default=0) + 1)],
        layout_id=layout_id,
        labelled=labelled,
    )


def _row(server_id: str, one: telemetry_pb2.Sample) -> dict[str, Any]:
    core = dict(enumerate(one.core, start=1))
    values = {column: _null(core.get(number, NAN)) for number, column in sorted(CORE.items())}
    return {
        "time": EPOCH + timedelta(microseconds=one.time_unix_nano // 1000),
        "server_id": server_id,
        "organization_id": ORGANIZATION,
        "received_at": datetime.now(tz=UTC),
        **values,
        "layout_id": one.layout_id or None,
        "labelled": [_null(value) for value in one.labelled] if one.layout_id else None,
    }


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value

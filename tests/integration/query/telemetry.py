"""Writes what query reads, in the form in which ingest writes it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from itertools import repeat
from typing import Any, TypeVar

import asyncpg
import redis.asyncio

from flick.bus.client import Bus
from flick.bus.live import LATEST_KEY, samples_channel, watched_key
from flick.v1 import catalog_pb2, telemetry_pb2
from tests.integration.query.rolled import roll_up
from tests.integration.query.rows import NAN, ORGANIZATION, Came, insert, insert_processes
from tests.integration.query.sealed import seal, seal_processes

Series = tuple[catalog_pb2.Metric.ValueType, Sequence[str]]


T = TypeVar("T")


class Lying(Enum):
    """Where stored samples lie."""

    IN_ROWS = "in rows"
    IN_HOURS = "in sealed hours"
    IN_BOTH = "in both"
    ROLLED_UP = "in sealed hours that are rolled up"

    def part(self, items: Sequence[T], *, copy: Callable[[T], T]) -> tuple[Sequence[T], Sequence[T]]:
        """Those that lie in sealed hours, and those that lie in rows.

        Of three one lies in a sealed hour and has a `copy` in a row as well, which must be seen nowhere.
        """
        if self is Lying.IN_ROWS:
            return [], items
        if self in (Lying.IN_HOURS, Lying.ROLLED_UP):
            return items, []
        in_both = items[::3]
        return [*in_both, *items[2::3]], [*map(copy, in_both), *items[1::3]]


class Telemetry:
    """The schema `telemetry` as its owner sees it, and what ingest leaves in Redis."""

    def __init__(self, *, connection: "asyncpg.Connection[Any]", bus: Bus, redis: "redis.asyncio.Redis") -> None:
        self.connection = connection
        self.bus = bus
        self.redis = redis
        self.lying = Lying.IN_ROWS

    async def layout(self, server_id: str, *series: Series) -> int:
        """Store a layout; returns its id."""
        layout = telemetry_pb2.Layout(
            series=[telemetry_pb2.Series(metric=metric, label_values=labels) for metric, labels in series]
        )
        return await store_layout(self.connection, server_id, layout)

    async def store(
        self, server_id: str, samples: Sequence[telemetry_pb2.Sample], *, lags_us: Sequence[int] = ()
    ) -> None:
        """Commit samples, each received so much later than it was measured, to where they are to lie."""
        came = list(map(Came, samples, lags_us or repeat(0)))
        in_hours, in_rows = self.lying.part(came, copy=another)
        await seal(self.connection, server_id, in_hours)
        await insert(self.connection, server_id, in_rows)
        if self.lying is Lying.ROLLED_UP:
            await roll_up(self.connection)

    async def store_processes(self, server_id: str, snapshots: Mapping[int, bytes]) -> None:
        """Commit snapshots of processes, each under its time in microseconds, to where they are to lie."""
        in_hours, in_rows = self.lying.part(list(snapshots.items()), copy=lambda one: (one[0], b"another"))
        await seal_processes(self.connection, server_id, dict(in_hours))
        await insert_processes(self.connection, server_id, dict(in_rows))

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


async def store_layout(connection: "asyncpg.Connection[Any]", server_id: str, layout: telemetry_pb2.Layout) -> int:
    """Store a layout of a server, which has no id yet; returns its id."""
    packed = layout.SerializeToString()
    layout_id: int = await connection.fetchval(
        "insert into telemetry.layouts (server_id, organization_id, digest, series) values ($1, $2, $3, $4) "
        "returning layout_id",
        server_id,
        ORGANIZATION,
        hashlib.sha256(packed).digest(),
        packed,
    )
    return layout_id


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


def another(came: Came) -> Came:
    """A sample of the same moment that has nothing else in common with it."""
    return Came(sample(came.time_us, {1: -1e12, 7: 1.0}), came.lag_us + 10**12)

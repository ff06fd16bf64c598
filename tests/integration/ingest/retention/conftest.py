"""Retention over a database of its own, whose clock and whose auth the test sets."""

import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from flick.errors import FlickError, Kind
from flick.v1 import access_pb2
from services.ingest.retention.lifetimes import Lifetimes
from services.ingest.retention.retention import Retention
from services.ingest.retention.store import RetentionStore
from tests.integration.ingest.sealing.conftest import Sealing, sealing
from tests.integration.ingest.sealing.hours import HOUR_NS, Writer, sample

DAY_NS = 24 * HOUR_NS
LONG_AGO_NS = (time.time_ns() // DAY_NS - 1200) * DAY_NS  # PostgreSQL's own clock is behind none of the tests' days

__all__ = ["sealing"]


@dataclass(kw_only=True)
class Expiring:
    """What takes old blocks away, and what auth tells it.

    Attributes:
        servers: what auth answers; None: it does not answer.
    """

    sealing: Sealing
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    servers: list[access_pb2.ServerRetention] | None = field(default_factory=list)

    async def ask(self) -> Sequence[access_pb2.ServerRetention]:
        """Auth's method."""
        if self.servers is None:
            raise FlickError(Kind.UNAVAILABLE, "Auth is away.")
        return self.servers

    def keep(self, writer: Writer, *, days: int) -> None:
        """Auth knows the server, and this is how long its samples are kept."""
        self.servers = [*(self.servers or ()), retention(writer.owner.server_id, days=days)]

    async def settle(self, *, days: float) -> None:
        """So many days after the beginning everything is sealed and rolled up that can be."""
        self.sealing.clock.now_ns = LONG_AGO_NS + int(days * DAY_NS)
        await self.sealing.round()
        await self.sealing.roll()

    async def expire(self, *, at_once: int = 500, rounds: int = 1) -> None:
        """Take away what is over."""
        for _ in range(rounds):
            retention = Retention(
                store=RetentionStore(at_once=at_once),
                servers=self.ask,
                lifetimes=self.lifetimes,
                metrics=self.sealing.metrics.retention,
                clock=self.sealing.clock,
            )
            await retention.work(self.sealing.leader)

    @property
    def now(self) -> datetime:
        """By the clock that was set."""
        return datetime.fromtimestamp(self.sealing.clock.now_ns // 10**9, UTC)

    async def count(self, table: str) -> int:
        """How many blocks a table has."""
        return int(await self.sealing.owner.fetchval(f"select count(*) from telemetry.{table}"))  # noqa: S608 - no input


def retention(server_id: uuid.UUID, *, days: int = 0, deleted: datetime | None = None) -> access_pb2.ServerRetention:
    """What auth tells of a server."""
    told = access_pb2.ServerRetention(server_id=str(server_id), retention_days=days)
    if deleted is not None:
        told.delete_time.FromDatetime(deleted)
    return told


async def write_days(writer: Writer, days: int, *, every_h: int = 5, first_day: int = 0) -> None:
    """Store a sample every few hours."""
    rng = random.Random(days)
    found = [
        sample(LONG_AGO_NS + first_day * DAY_NS + hour * HOUR_NS + rng.randrange(HOUR_NS // 1000) * 1000, rng=rng)
        for hour in range(0, days * 24, every_h)
    ]
    await writer.write(found, received_ns=LONG_AGO_NS + (first_day + days) * DAY_NS)


def at(days: float) -> datetime:
    """So many days after the beginning."""
    return datetime.fromtimestamp(LONG_AGO_NS // 10**9, UTC) + timedelta(days=days)


@pytest.fixture
def expiring(sealing: Sealing) -> Expiring:
    """Retention for one test."""
    return Expiring(sealing=sealing)

"""A sealer over a database of its own, whose clock the test sets."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio
from prometheus_client import CollectorRegistry

from flick.clock import SystemClock
from flick.db.pool import Connection, Pool, connect, open_pool
from services.ingest.aside import Aside
from services.ingest.metrics import IngestMetrics
from services.ingest.rollups.roller import Roller
from services.ingest.rollups.store import RollupStore
from services.ingest.sealing.sealer import Sealer
from services.ingest.sealing.store import SealStore
from tests.databases import DatabaseServer
from tests.integration.ingest.sealing.hours import BEGINNING_NS, HOUR_NS, Writer

SEAL_AFTER_S = 900.0


class SetClock(SystemClock):
    """Shows the time that it was set to; what it tells to wait for is over at once."""

    def __init__(self, time_ns: int) -> None:
        self.now_ns = time_ns

    def time_unix_nano(self) -> int:
        """See `Clock`."""
        return self.now_ns

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await super().sleep(0)


@dataclass(kw_only=True)
class Sealing:
    """A sealer, what it works on, and who looks on.

    Attributes:
        pool, leader: connections as ingest's role; the sealer works on `leader`.
        owner: a connection as the owner.
        clock: the sealer's, at first two hours after the beginning of the tests' hour.
    """

    pool: Pool
    leader: Connection
    owner: Connection
    clock: SetClock = field(default_factory=lambda: SetClock(BEGINNING_NS + 2 * HOUR_NS))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    metrics: IngestMetrics = field(init=False)
    sealer: Sealer = field(init=False)
    roller: Roller = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = IngestMetrics(registry=self.registry)
        self.sealer = self.with_store(SealStore())
        self.roller = Roller(
            store=RollupStore(), aside=Aside(), after_s=SEAL_AFTER_S, metrics=self.metrics.rollups, clock=self.clock
        )

    def with_store(self, store: SealStore) -> Sealer:
        """A sealer that reads and writes in another way."""
        return Sealer(
            store=store,
            rollups=RollupStore(),
            aside=Aside(),
            after_s=SEAL_AFTER_S,
            metrics=self.metrics,
            clock=self.clock,
        )

    def writer(self) -> Writer:
        """Writes samples of a new server."""
        return Writer(pool=self.pool)

    async def round(self) -> None:
        """Seal what is due."""
        await self.sealer.work(self.leader)

    async def roll(self) -> None:
        """Roll up what is due."""
        await self.roller.work(self.leader)

    async def deliveries(self) -> dict[str, int]:
        """What the ledger has counted."""
        rows = await self.owner.fetch("select outcome, sum(count)::int as count from telemetry.deliveries group by 1")
        return {row["outcome"]: row["count"] for row in rows}

    def count(self, name: str, **labels: str) -> float:
        """One of ingest's own metrics."""
        return self.registry.get_sample_value(f"flick_ingest_{name}", labels) or 0.0


@pytest_asyncio.fixture(loop_scope="session")
async def sealing(postgres: DatabaseServer, telemetry: str) -> AsyncIterator[Sealing]:
    """A sealer and a database for one test."""
    url = postgres.url(database=telemetry, role="flick_ingest")
    leader = await connect(url, application_name="sealer")
    owner = await connect(postgres.url(database=telemetry), application_name="test")
    async with open_pool(url, application_name="writer") as pool:
        yield Sealing(pool=pool, leader=leader, owner=owner)
    await leader.close()
    await owner.close()

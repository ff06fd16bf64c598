"""Rolls up what is sealed, by ingest's own roller."""

from prometheus_client import CollectorRegistry

from flick.db.pool import Connection
from services.ingest.aside import Aside
from services.ingest.metrics import IngestMetrics
from services.ingest.rollups.roller import Roller
from services.ingest.rollups.store import RollupStore
from tests.integration.ingest.sealing.conftest import SetClock

_FAR_NS = 4_000_000_000 * 10**9  # when every day of the tests is over


async def roll_up(connection: Connection, *, days: bool = True) -> None:
    """Roll up all sealed hours: to minutes only, or to hours and days as well."""
    roller = Roller(
        store=RollupStore(),
        aside=Aside(),
        after_s=0,
        metrics=IngestMetrics(registry=CollectorRegistry()).rollups,
        clock=SetClock(_FAR_NS if days else 0),
    )
    await roller.work(connection)

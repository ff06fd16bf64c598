"""The duties of housekeeping, put together."""

from collections.abc import Sequence

from flick.clock import Clock
from services.ingest.aside import Aside
from services.ingest.housekeeping import Duty
from services.ingest.metrics import IngestMetrics
from services.ingest.retention.lifetimes import Lifetimes
from services.ingest.retention.retention import Retention, Servers
from services.ingest.retention.store import RetentionStore
from services.ingest.rollups.roller import Roller
from services.ingest.rollups.store import RollupStore
from services.ingest.sealing.sealer import Sealer
from services.ingest.sealing.store import SealStore


def all_duties(
    *, metrics: IngestMetrics, seal_after_s: float, servers: Servers, lifetimes: Lifetimes, clock: Clock
) -> Sequence[Duty]:
    """Everything that the leader does for all, in this order; the arguments are those of the duties."""
    return [
        *sealing_duties(metrics=metrics, after_s=seal_after_s, clock=clock),
        Retention(store=RetentionStore(), servers=servers, lifetimes=lifetimes, metrics=metrics.retention, clock=clock),
    ]


def sealing_duties(*, metrics: IngestMetrics, after_s: float, clock: Clock) -> Sequence[Duty]:
    """What becomes of samples whose hour is over: they are sealed, and rolled up.

    Args:
        metrics, clock: as everywhere.
        after_s: how long to wait for what comes late.
    """
    aside, rollups = Aside(), RollupStore()
    return [
        Sealer(store=SealStore(), rollups=rollups, aside=aside, after_s=after_s, metrics=metrics, clock=clock),
        Roller(store=rollups, aside=aside, after_s=after_s, metrics=metrics.rollups, clock=clock),
    ]

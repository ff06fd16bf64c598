"""The duties of housekeeping, put together."""

from collections.abc import Sequence

from flick.clock import Clock
from services.ingest.aside import Aside
from services.ingest.housekeeping import Duty
from services.ingest.metrics import IngestMetrics
from services.ingest.rollups.roller import Roller
from services.ingest.rollups.store import RollupStore
from services.ingest.sealing.sealer import Sealer
from services.ingest.sealing.store import SealStore


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

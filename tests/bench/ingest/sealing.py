"""What it costs to seal samples: the real sealer, in this process, told by its clock that the hour is over."""

import time
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from flick.clock import SystemClock
from flick.db.pool import Connection
from services.ingest.duties import sealing_duties
from services.ingest.metrics import IngestMetrics
from tests.bench.cpu import family_cpu_s

HOUR_S = 3600.0


class LaterClock(SystemClock):
    """Two hours ahead, and in no need to leave others their time."""

    def time_unix_nano(self) -> int:
        """See `Clock`."""
        return super().time_unix_nano() + int(2 * HOUR_S * 1e9)

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await super().sleep(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCosts:
    """Processor time in seconds for so many samples."""

    samples: int
    sealer: float
    postgres: float

    @property
    def per_sample_us(self) -> float:
        """Both together, in microseconds."""
        return (self.sealer + self.postgres) / self.samples * 1e6


async def seal_everything(*, ingest: Connection, admin: Connection, postgres_pid: int) -> SealCosts:
    """Seal all that is stored; `ingest` is a connection as ingest's role, on which the sealer works.

    The pages that the work leaves to be written are counted, those of before are not.
    """
    samples = await admin.fetchval("select count(*) from telemetry.metrics")
    registry = CollectorRegistry()
    duties = sealing_duties(metrics=IngestMetrics(registry=registry), after_s=0.0, clock=LaterClock())
    await admin.execute("checkpoint")
    await ingest.execute("set synchronous_commit = off")  # as housekeeping does
    sealer_s, postgres_s = time.process_time(), family_cpu_s(postgres_pid)
    for duty in duties:
        await duty.work(ingest)
    await admin.execute("checkpoint")
    sealer_s, postgres_s = time.process_time() - sealer_s, family_cpu_s(postgres_pid) - postgres_s
    sealed = registry.get_sample_value("flick_ingest_sealed_samples_total")
    assert sealed == samples, f"{sealed} of {samples} samples were sealed"
    return SealCosts(samples=samples, sealer=sealer_s, postgres=postgres_s)

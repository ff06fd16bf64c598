"""What the checker reads is the same before and after hours are sealed, and rows that came late are no doubles."""

from prometheus_client import CollectorRegistry

from flick.clock import SystemClock
from flick.db.pool import Connection, connect
from flick.ids import new_id
from flick.v1 import catalog_pb2, telemetry_pb2
from services.ingest.duties import sealing_duties
from services.ingest.metrics import IngestMetrics
from tests.chaos.checking.stored import read_stored
from tests.databases import DatabaseServer
from tests.integration.ingest.schema import telemetry_template
from tests.integration.query.house import now_us
from tests.integration.query.rows import Came, insert, insert_processes
from tests.integration.query.telemetry import another, sample, store_layout

HOUR_US = 3_600_000_000
BEGIN_US = now_us() // HOUR_US * HOUR_US - 5 * HOUR_US
COUNT = 100
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION


async def test_a_sealed_sample_is_stored_once_with_the_content_that_its_row_had(postgres: DatabaseServer) -> None:
    async with postgres.database(template=await telemetry_template(postgres)) as database:
        owner = await connect(postgres.url(database=database), application_name="test")
        server_id = str(new_id())
        came, snapshots = await _store(owner, server_id)
        before = await read_stored(owner, server_id)
        await _seal(postgres.url(database=database, role="flick_ingest"))
        sealed = await read_stored(owner, server_id)
        rows = await owner.fetchval("select count(*) from telemetry.metrics")
        await insert(owner, server_id, came[:3])
        await insert_processes(owner, server_id, dict(list(snapshots.items())[:3]))
        with_late = await read_stored(owner, server_id)
        await insert(owner, server_id, [another(came[3])])
        with_other = await read_stored(owner, server_id)
        await owner.close()

    assert (len(before.checksums), before.duplicated, rows) == (COUNT, 0, 0)
    assert sealed == with_late == before
    assert (with_other.checksums, with_other.duplicated) == (before.checksums, 1)


async def _store(owner: Connection, server_id: str) -> tuple[list[Came], dict[int, bytes]]:
    """Samples with and without labelled values over some hours, in rows."""
    layout = telemetry_pb2.Layout(series=[telemetry_pb2.Series(metric=CORE, label_values=["0"])])
    layout_id = await store_layout(owner, server_id, layout)
    came = []
    for number in range(COUNT):
        time_us, core = BEGIN_US + number * HOUR_US // 30, {1: number / 7, 25: float(number)}
        plain = sample(time_us, core)
        came.append(Came(sample(time_us, core, layout_id=layout_id, labelled=[1 / 3]) if number % 3 else plain, number))
    snapshots = {one.time_us: b"processes of %d" % one.time_us for one in came[::2]}
    await insert(owner, server_id, came)
    await insert_processes(owner, server_id, snapshots)
    return came, snapshots


async def _seal(url: str) -> None:
    leader = await connect(url, application_name="test")
    metrics = IngestMetrics(registry=CollectorRegistry())
    for duty in sealing_duties(metrics=metrics, after_s=0, clock=SystemClock()):
        await duty.work(leader)
    await leader.close()

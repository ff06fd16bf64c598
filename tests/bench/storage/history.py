"""What a chart of a day costs: query and PostgreSQL together, out of sealed hours and, for comparison, out of rows."""

import random
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from deploy.local.machine.account import database_account
from flick.clock import SystemClock
from flick.db.pool import Connection, Pool, connect, open_pool
from flick.ids import new_id
from flick.v1 import telemetry_pb2
from services.ingest.duties import sealing_duties
from services.ingest.metrics import IngestMetrics
from services.query.answers.collector import Collector
from services.query.answers.gate import Gate
from services.query.answers.history import History, Question
from services.query.gaps import Gaps
from services.query.layouts import Layouts
from services.query.metrics import QueryMetrics
from services.query.reading.samples import Samples
from services.query.rules.catalog import Catalog
from services.query.store import Store
from tests.bench.cpu import process_cpu_s
from tests.bench.result import Result
from tests.bench.storage.day import DAY_SAMPLES, Host, layout
from tests.integration.ingest.schema import telemetry_template
from tests.integration.query.rows import Came, insert
from tests.integration.query.telemetry import store_layout
from tests.servers import postgres_server

SEED = 7
RUNS = 20
INSERTED_AT_ONCE = 720
CATALOG = Catalog.from_contract()
CPU = "system.cpu.utilization"
CORES = "system.cpu.core.utilization"  # eight series
MEASURED = {*range(1, 26), *(one.metric for one in layout().series)}  # of the catalogue, by a bench's host
EVERYTHING = tuple(dict.fromkeys(one.name for one in CATALOG.rows if one.number in MEASURED))
# By how many series they are: the names, and how many points are asked for.
QUESTIONS: Mapping[int, tuple[Sequence[str], int]] = {
    1: ((CPU,), 500),
    10: ((CPU, "system.uptime", CORES), 50),
    65: (EVERYTHING, 50),
}


async def measure(_steady_s: float) -> list[Result]:
    """Milliseconds of processor time for 24 h at 5 s, beside the same question before the hours were sealed."""
    midnight = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    account = database_account()
    async with AsyncExitStack() as stack:
        postgres, _ = await stack.enter_async_context(postgres_server(account))
        database = await stack.enter_async_context(postgres.database(template=await telemetry_template(postgres)))
        owner = await connect(postgres.url(database=database), application_name="bench")
        stack.push_async_callback(owner.close)
        server_id = await _store_day(owner, midnight)
        url = postgres.url(database=database, role="flick_query")
        history, pool = await stack.enter_async_context(_asked(url))
        in_rows = await _costs_ms(history, pool, server_id, midnight)
        await _seal(postgres.url(database=database, role="flick_ingest"), owner)
        sealed = await _costs_ms(history, pool, server_id, midnight)
    return [
        Result(name=f"history_{count}_series", value=sealed[count], unit="ms", ceiling=in_rows[count])
        for count in QUESTIONS
    ]


async def _store_day(owner: Connection, midnight: datetime) -> str:
    """A day of a server, in rows; returns its id."""
    server_id = str(new_id())
    host = Host(rng=random.Random(SEED), start_time_ns=int(midnight.timestamp()) * 10**9)
    layout_id = await store_layout(owner, server_id, telemetry_pb2.Layout(series=host.layout.series))
    came = []
    for sample in host.samples(DAY_SAMPLES - 1):  # the last one would be the next day's first
        sample.layout_id = layout_id
        came.append(Came(sample))
    for begin in range(0, len(came), INSERTED_AT_ONCE):
        await insert(owner, server_id, came[begin : begin + INSERTED_AT_ONCE])
    await owner.execute("analyze telemetry.metrics")
    return server_id


async def _seal(url: str, owner: Connection) -> None:
    leader = await connect(url, application_name="bench")
    metrics = IngestMetrics(registry=CollectorRegistry())
    for duty in sealing_duties(metrics=metrics, after_s=0, clock=SystemClock()):
        await duty.work(leader)
    await leader.close()
    left = await owner.fetchval("select count(*) from telemetry.metrics")
    assert left == 0, f"{left} samples are not sealed"
    await owner.execute("analyze telemetry.sealed_metrics")


@asynccontextmanager
async def _asked(url: str) -> AsyncIterator[tuple[History, Pool]]:
    async with open_pool(url, application_name="bench", max_size=1) as pool:
        samples = Samples(catalog=CATALOG)
        yield (
            History(
                collector=Collector(store=Store(pool=pool, samples=samples, layouts=Layouts(pool=pool))),
                gaps=Gaps(pool=pool, samples=samples),
                catalog=CATALOG,
                gate=Gate(at_once=1, waiting=0, on_refused=lambda: None),
                clock=SystemClock(),
                metrics=QueryMetrics(registry=CollectorRegistry()),
            ),
            pool,
        )


async def _costs_ms(history: History, pool: Pool, server_id: str, midnight: datetime) -> dict[int, float]:
    """The median of each question's runs: this process, and PostgreSQL's on the other end of the connection."""
    start_us = int(midnight.timestamp()) * 1_000_000
    backend = await pool.fetchval("select pg_backend_pid()")
    found = {}
    for count, (names, points) in QUESTIONS.items():
        taken: list[float] = []
        for _ in range(RUNS + 1):
            began_s = time.process_time() + process_cpu_s(backend)
            answer = await history.query(
                Question(
                    server_id=server_id,
                    interval_us=5_000_000,
                    names=names,
                    start_us=start_us,
                    end_us=start_us + 86_400_000_000,
                    max_points=points,
                )
            )
            taken.append(time.process_time() + process_cpu_s(backend) - began_s)
            assert len(answer.series) == count
        found[count] = statistics.median(taken[1:]) * 1e3
    return found

"""While the real sealer makes blocks of hours and gives chunks back, nothing is missed and nothing is seen twice."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest_asyncio
from prometheus_client import CollectorRegistry

from flick.clock import SystemClock
from flick.db.pool import Connection, Pool, connect, open_pool
from flick.ids import new_id
from flick.v1 import telemetry_pb2
from services.ingest.duties import sealing_duties
from services.ingest.metrics import IngestMetrics
from services.query.reading.samples import Samples
from services.query.reading.snapshot import snapshot
from services.query.rules.catalog import Catalog
from services.query.rules.plan import SECOND_US, Reading, Span
from services.query.rules.series import Cell
from tests.databases import DatabaseServer
from tests.integration.ingest.schema import telemetry_template
from tests.integration.query.house import now_us
from tests.integration.query.rows import Came, insert, insert_processes
from tests.integration.query.sealed import HOUR_US
from tests.integration.query.telemetry import sample
from tests.waiting import until

HOURS = 12
EVERY_US = 30 * SECOND_US
COUNT = HOURS * HOUR_US // EVERY_US
BEGIN_US = now_us() // HOUR_US * HOUR_US - (HOURS + 30) * HOUR_US
SPAN = Span(start_us=BEGIN_US, end_us=BEGIN_US + HOURS * HOUR_US)
CPU = Cell(column="cpu_utilization")
READERS = 3
LAG_US = 7
_SEALED = "select coalesce(sum(count), 0) from telemetry.sealed_metrics"
SAMPLES = Samples(catalog=Catalog.from_contract())


@dataclass(frozen=True, kw_only=True)
class _Day:
    """A server's samples in rows, and who reads and seals them."""

    owner: Connection
    leader: Connection
    pool: Pool
    server_id: str
    values: dict[int, float]

    async def seal(self) -> None:
        """Seal everything, and give the chunks back."""
        metrics = IngestMetrics(registry=CollectorRegistry())
        for duty in sealing_duties(metrics=metrics, after_s=0, clock=SystemClock()):
            await duty.work(self.leader)

    async def chunks(self) -> int:
        """How many chunks of rows there are."""
        count: int = await self.owner.fetchval(
            "select count(*) from timescaledb_information.chunks where hypertable_name = 'metrics'"
        )
        return count

    async def check(self, connection: Connection) -> None:
        """Compare every kind of answer with what was stored."""
        samples = await SAMPLES.samples(connection, self.server_id, SPAN, [CPU])
        steps = await SAMPLES.steps(connection, self.server_id, Reading(span=SPAN, step_us=2 * HOUR_US), [CPU])
        lags = await SAMPLES.lags_us(connection, self.server_id, SPAN)
        probe = await SAMPLES.probe(connection, self.server_id, SPAN, limit=2 * COUNT)
        newest = await SAMPLES.newest_times_us(connection, [self.server_id], BEGIN_US)
        processes = await SAMPLES.processes(connection, self.server_id, SPAN)

        (block,) = samples
        assert dict(zip(block.times_us.tolist(), block.values[0].tolist(), strict=True)) == self.values
        assert sum(one.weights.sum() for one in steps) == COUNT
        assert sum(one.totals.sum() for one in steps) == sum(self.values.values())
        assert sorted(lag for part in lags for lag in part) == [LAG_US] * COUNT
        assert probe.rows == COUNT
        assert newest == {self.server_id: max(self.values)}
        assert processes is not None
        assert processes[0] == max(self.values)


@pytest_asyncio.fixture(loop_scope="session")
async def day(postgres: DatabaseServer) -> AsyncIterator[_Day]:
    """Samples in a database of their own: the sealer moves everything that is there."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres.database(template=await telemetry_template(postgres)))
        owner = await connect(postgres.url(database=database), application_name="test")
        stack.push_async_callback(owner.close)
        leader = await connect(postgres.url(database=database, role="flick_ingest"), application_name="test")
        stack.push_async_callback(leader.close)
        url = postgres.url(database=database, role="flick_query")
        pool = await stack.enter_async_context(open_pool(url, application_name="test"))
        server_id = str(new_id())
        values = await _store(owner, server_id)
        yield _Day(owner=owner, leader=leader, pool=pool, server_id=server_id, values=values)


async def test_every_read_sees_each_sample_once_while_the_sealer_works(day: _Day) -> None:
    done, sealed = asyncio.Event(), list[int]()  # how many samples were in blocks when they were read

    async def read_on() -> None:
        while not done.is_set():
            async with snapshot(day.pool) as connection:
                await day.check(connection)
                sealed.append(await connection.fetchval(_SEALED))

    readers = [asyncio.create_task(read_on()) for _ in range(READERS)]
    await until(lambda: len(sealed) >= READERS, within_s=30.0)
    await day.seal()
    done.set()
    await asyncio.gather(*readers)
    async with snapshot(day.pool) as connection:
        await day.check(connection)

    assert any(0 < one < COUNT for one in sealed), "nobody read while hours were sealed"
    assert await day.owner.fetchval(_SEALED) == COUNT


async def test_a_read_that_began_before_hours_moved_sees_their_rows_to_its_end(day: _Day) -> None:
    async with snapshot(day.pool) as connection:
        assert await connection.fetchval("select count(*) from telemetry.sealed_metrics") == 0  # chooses the moment
        await day.seal()
        moved = await day.owner.fetchval("select count(*) from telemetry.sealed_metrics")
        await day.check(connection)
    kept = await day.chunks()
    await day.seal()

    assert moved == kept == HOURS
    assert await day.chunks() == 0


async def _store(owner: Connection, server_id: str) -> dict[int, float]:
    rng = random.Random(5)
    values = {BEGIN_US + number * EVERY_US: float(rng.randrange(1000)) for number in range(COUNT)}
    await insert(owner, server_id, [Came(sample(at, {1: value}), LAG_US) for at, value in values.items()])
    packed = telemetry_pb2.ProcessSnapshot().SerializeToString()
    await insert_processes(owner, server_id, dict.fromkeys(values, packed))
    return values

"""What a day of samples takes on disk, by table and by indexes, after the real ingest took and sealed it."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg

from deploy.local.machine.account import database_account
from tests.bench.result import Result
from tests.bench.storage.day import DAY_SAMPLES, Host
from tests.folders import reachable_folder
from tests.integration.ingest.agent import batch, scripted_agent
from tests.integration.ingest.process import ingest_process
from tests.integration.ingest.schema import telemetry_template
from tests.servers import postgres_server, redis_server
from tests.tiny_auth import Enrolled, make_auth
from tests.waiting import eventually

SERVERS = 3
SAMPLES_PER_BATCH = 5  # few, so that the servers' rows lie mixed, as they do when all send at once
BATCHES = -(-DAY_SAMPLES // SAMPLES_PER_BATCH)
BATCHES_AT_ONCE = 8  # what ingest gives credit for
GOAL_BYTES = 600.0
SHOWN_FROM_BYTES = 0.5

_SIZES = """
with sizes (name, table_bytes, index_bytes) as (
    select hypertable_name::text, detailed.table_bytes + coalesce(detailed.toast_bytes, 0), detailed.index_bytes
    from timescaledb_information.hypertables,
        hypertable_detailed_size(format('telemetry.%I', hypertable_name)::regclass) as detailed
    where hypertable_schema = 'telemetry'
    union all
    select relname::text, pg_table_size(oid), pg_indexes_size(oid)
    from pg_class
    where relnamespace = 'telemetry'::regnamespace and relkind = 'r'
        and relname not in (select hypertable_name from timescaledb_information.hypertables)
)
select name, sum(table_bytes)::float8 as table_bytes, sum(index_bytes)::float8 as index_bytes
from sizes
group by name
order by sum(table_bytes + index_bytes) desc
"""

_CHUNKS = """
select count(*) from timescaledb_information.chunks
where hypertable_schema = 'telemetry' and hypertable_name in ('metrics', 'processes')
"""


async def measure(_steady_s: float) -> list[Result]:
    """Bytes per sample of everything in the schema `telemetry`, then of each table and of its indexes.

    Last what it took in rows, as every sample does until its hour is sealed, from 15 to 75 minutes later.
    """
    auth, account = make_auth(), database_account()
    enrolled = [auth.enroll() for _ in range(SERVERS)]
    with reachable_folder() as folder:
        async with postgres_server(account) as (postgres, _), redis_server(account) as (redis_url, _):
            template = await telemetry_template(postgres)
            async with postgres.database(template=template) as database:
                start = partial(
                    ingest_process,
                    postgres=postgres,
                    database=database,
                    redis_url=redis_url,
                    log=folder / "ingest.log",
                    auth=auth,
                )
                async with start() as ingest:
                    days = (_send_day(ingest.address, one, seed=seed) for seed, one in enumerate(enrolled))
                    await asyncio.gather(*days)
                connection = await asyncpg.connect(postgres.admin_url(database=database))
                in_rows = await connection.fetch(_SIZES)
                async with start(environment={"FLICK_INGEST_SEAL_AFTER_S": "0"}):  # nothing comes any more
                    await eventually(lambda: connection.fetchval(_CHUNKS), lambda count: not count, within_s=300)
                stored = await connection.fetchval("select sum(count) from telemetry.sealed_metrics")
                sizes = await connection.fetch(_SIZES)
                await connection.close()
    assert stored == SERVERS * DAY_SAMPLES, f"{stored} samples are sealed"
    rows_bytes = sum(row["table_bytes"] + row["index_bytes"] for row in in_rows)
    return [*_results(sizes, samples=stored), Result(name="bytes_in_rows", value=rows_bytes / stored, unit="B")]


async def _send_day(address: str, enrolled: Enrolled, *, seed: int) -> None:
    """Yesterday's samples of a server."""
    midnight = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    host = Host(rng=random.Random(seed), start_time_ns=int(midnight.timestamp()) * 10**9)
    samples = host.samples(DAY_SAMPLES)
    async with scripted_agent(address, key=enrolled.key) as agent:
        await agent.hello()
        for seq in range(1, BATCHES + 1):
            some = itertools.islice(samples, SAMPLES_PER_BATCH)
            await agent.send(batch(seq, *some, layouts=[host.layout] if seq == 1 else []))
            if seq % BATCHES_AT_ONCE == 0 or seq == BATCHES:
                rejected = await agent.acked(seq)
                assert not rejected, rejected


def _results(sizes: Sequence[asyncpg.Record], *, samples: int) -> list[Result]:
    parts = [
        Result(name=f"bytes_{row['name']}{suffix}", value=row[column] / samples, unit="B")
        for row in sizes
        for suffix, column in (("", "table_bytes"), ("_indexes", "index_bytes"))
    ]
    total = sum(one.value for one in parts)
    return [
        Result(name="bytes_per_sample", value=total, unit="B", goal=GOAL_BYTES),
        *(one for one in parts if one.value >= SHOWN_FROM_BYTES),
    ]

"""A database that hangs: nothing is acked, memory stays flat, reads are refused soon, and it passes by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from flick.db.pool import open_pool
from flick.errors import FlickError, Kind
from tests.chaos.faults.own_postgres import OwnPostgres
from tests.chaos.house.pipeline import Pipeline, Reader, pipeline, reader
from tests.chaos.load import under_load
from tests.report import report
from tests.waiting import eventually

MEMORY_MIB = 64.0  # the goal
READ_S = 2.0  # the same; the long form holds it
QUIET_S = 2.0  # agents have an ack five times a second

Stall = Callable[[OwnPostgres, str], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def locked(postgres: OwnPostgres, database: str) -> AsyncIterator[None]:
    """The table of samples locked against everybody."""
    connection = await asyncpg.connect(postgres.server.admin_url(database=database))
    try:
        async with connection.transaction():
            await connection.execute("lock table telemetry.metrics in access exclusive mode")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def frozen(postgres: OwnPostgres, _database: str) -> AsyncIterator[None]:
    """Every process of the server stopped: it takes connections and says nothing."""
    postgres.process.freeze()
    try:
        yield
    finally:
        postgres.process.thaw()


@dataclass(kw_only=True)
class Seen:
    """What was seen while the database hung."""

    acked: int
    statuses: set[int] = field(default_factory=set)
    reads_s: list[float] = field(default_factory=list)
    peak_mib: float = 0.0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stall", [locked, frozen], ids=["locked", "frozen"])
async def test_it_acks_nothing_stays_small_and_recovers(
    mortal_postgres: OwnPostgres, mortal_telemetry: str, redis_url: str, tmp_path: Path, long_form: bool, stall: Stall
) -> None:
    stall_s = 60.0 if long_form else 3.0
    postgres = mortal_postgres.server
    async with (
        pipeline(postgres=postgres, database=mortal_telemetry, redis_url=redis_url, folder=tmp_path) as line,
        reader(line, postgres=postgres, database=mortal_telemetry, redis_url=redis_url, folder=tmp_path) as eyes,
    ):
        async with under_load(line.agents):
            await line.flows()
            assert (await eventually(eyes.history, lambda answer: answer[0] == 200))[0] == 200
            before_mib = line.rss_mib()
            async with stall(mortal_postgres, mortal_telemetry):
                await _last_acks(line)
                seen = await _look(line, eyes, for_s=stall_s)
                acked = line.acked
            ended_s = time.monotonic()
            back_s = await line.next_ack(within_s=120) - ended_s
            await line.flows()
            status, _ = await eventually(eyes.history, lambda answer: answer[0] == 200)
        findings = await line.findings()
    report(
        f"database {stall.__name__} for {stall_s:g} s",
        slowest_read_s=round(max(seen.reads_s), 2),
        ingest_mib=(round(before_mib, 1), round(seen.peak_mib, 1)),
        first_ack_s=round(back_s, 2),
        findings=findings,
    )

    assert acked == seen.acked, "something was acked that can't have been committed"
    assert seen.statuses == {503}
    assert max(seen.reads_s) < (READ_S if long_form else stall_s)
    assert seen.peak_mib - before_mib < MEMORY_MIB
    assert status == 200
    assert findings.clean, findings
    assert len(line.logged("serving")) == 1, "ingest itself was started again"


async def test_a_call_under_way_ends_when_the_database_falls_silent_and_the_next_one_works(
    mortal_postgres: OwnPostgres, mortal_telemetry: str
) -> None:
    url = mortal_postgres.server.url(database=mortal_telemetry)
    async with open_pool(url, application_name="t", statement_timeout_s=60.0, fail_fast=True) as pool:
        call = asyncio.create_task(pool.execute("select pg_sleep(50)"))
        await eventually(lambda: _sleeping(mortal_postgres), bool, every_s=0.05)
        async with frozen(mortal_postgres, mortal_telemetry):
            with pytest.raises(FlickError) as under_way:
                await call
            with pytest.raises(FlickError) as new:
                await pool.fetchval("select 1")

        async def answer() -> object:
            try:
                return await pool.fetchval("select 1")
            except FlickError as error:
                return error.kind

        answered = await eventually(answer, lambda one: one == 1, every_s=0.1)

    assert (under_way.value.kind, new.value.kind, answered) == (Kind.UNAVAILABLE, Kind.UNAVAILABLE, 1)


async def _sleeping(postgres: OwnPostgres) -> bool:
    return bool(await postgres.fetchval("select count(*) from pg_stat_activity where wait_event = 'PgSleep'"))


async def _last_acks(line: Pipeline) -> None:
    """Wait until no ack comes any more of what was committed just before: a busy machine passes them on late."""
    acked = -1
    while line.acked > acked:
        acked = line.acked
        await asyncio.sleep(QUIET_S)


async def _look(line: Pipeline, eyes: Reader, *, for_s: float) -> Seen:
    """Read again and again as a person would, and watch ingest's memory."""
    seen, until_s = Seen(acked=line.acked), time.monotonic() + for_s
    while time.monotonic() < until_s:
        status, took_s = await eyes.history()
        seen.statuses.add(status)
        seen.reads_s.append(took_s)
        seen.peak_mib = max(seen.peak_mib, line.rss_mib())
        await asyncio.sleep(0.2)
    return seen

"""A full disk under PostgreSQL: said clearly and with its fix, nothing acked, and over as soon as there is room."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from deploy.local import parts
from deploy.local.embedded.runtime import Runtime
from deploy.local.machine.account import Account
from deploy.local.supervision.part import Happening, Report
from deploy.local.supervision.supervisor import Supervisor
from flick.clock import SystemClock
from tests.chaos.faults.own_postgres import OwnPostgres
from tests.chaos.faults.small_disk import NoSmallDiskError, SmallDisk, small_disk
from tests.chaos.house.pipeline import Pipeline, pipeline
from tests.chaos.load import under_load
from tests.folders import reachable_folder
from tests.integration.ingest.schema import telemetry_template
from tests.report import report
from tests.waiting import eventually

ALERT_S = 30.0  # the goal; the long form holds it
SIZE_MIB = 200
SEGMENTS = 20  # of 16 MiB; more than fit
FULL = "database_disk_full"


@pytest_asyncio.fixture(loop_scope="session")
async def small() -> AsyncIterator[SmallDisk]:
    """An empty disk of 200 MiB."""
    with reachable_folder() as folder:
        try:
            async with small_disk(folder / "disk", size_mib=SIZE_MIB) as disk:
                yield disk
        except NoSmallDiskError as error:
            pytest.skip(str(error))


async def test_tables_that_can_not_grow_are_named_and_filled_when_there_is_room(
    mortal_postgres: OwnPostgres,
    mortal_telemetry: str,
    redis_url: str,
    small: SmallDisk,
    tmp_path: Path,
    long_form: bool,
) -> None:
    async with (
        mortal_postgres.kept_in(small.folder / "tables", database=mortal_telemetry),
        pipeline(
            postgres=mortal_postgres.server, database=mortal_telemetry, redis_url=redis_url, folder=tmp_path
        ) as line,
    ):
        async with under_load(line.agents):
            await line.flows()
            small.fill()
            told_s = await _told(line)
            acked, serving = line.acked, await line.commits_serve()
            await asyncio.sleep(30.0 if long_form else 1.0)
            acked_while_full = line.acked - acked
            small.free()
            await line.flows()
        findings = await line.findings()
        over = await line.commits_serve(), await line.metric("flick_ingest_trouble")
    (said, *_) = line.logged("commits fail, agents send again")
    report("disk of the tables full", told_s=round(told_s, 2), findings=findings)

    assert (said["reason"], "Free space" in said["fix"]) == (FULL, True)
    assert (acked_while_full, serving, over) == (0, False, (True, 0))
    assert findings.clean, findings
    assert len(line.logged("serving")) == 1, "ingest itself was started again"
    assert told_s < ALERT_S or not long_form


@pytest.mark.timeout(300)
async def test_a_full_disk_under_everything_is_named_and_over_when_there_is_room(
    runtime: Runtime, account: Account, redis_url: str, small: SmallDisk, tmp_path: Path, long_form: bool
) -> None:
    postgres = OwnPostgres(runtime=runtime, account=account, folder=small.folder)
    happened: list[Report] = []
    async with Supervisor(
        logs=small.folder / "logs", report=happened.append, clock=SystemClock(), randomness=random.Random(1)
    ) as launcher:
        await launcher.start(parts.postgres(postgres.embedded))
        await postgres.server.start()
        template = await telemetry_template(postgres.server)
        async with (
            postgres.server.database(template=template) as database,
            pipeline(postgres=postgres.server, database=database, redis_url=redis_url, folder=tmp_path) as line,
        ):
            async with under_load(line.agents, settle_s=120.0):
                await line.flows()
                small.fill()
                told_s = await _told(line)
                await _end_of_the_log(postgres)
                await asyncio.sleep(30.0 if long_form else 2.0)
                shown = await line.metric("flick_ingest_trouble", reason=FULL)
                small.free()
                freed_s = time.monotonic()
                back_s = await line.next_ack(within_s=120.0) - freed_s
                await line.flows()
            findings = await line.findings()
    deaths = [one for one in happened if one.happening is Happening.DIED]
    report("PGDATA full", told_s=round(told_s, 2), deaths=len(deaths), back_s=round(back_s, 2), findings=findings)

    assert shown == 1
    assert any("No space left on device" in " ".join((one.detail, *one.last_lines)) for one in deaths), deaths
    assert findings.clean, findings
    assert len(line.logged("serving")) == 1, "ingest itself was started again"
    assert told_s < ALERT_S or not long_form


async def _told(line: Pipeline) -> float:
    """Wait until ingest says that the disk is full; how many seconds that took."""
    began_s = time.monotonic()

    async def shown() -> float:
        return await line.metric("flick_ingest_trouble", reason=FULL)

    assert await eventually(shown, bool, within_s=60.0, every_s=0.1) == 1
    return time.monotonic() - began_s


async def _end_of_the_log(postgres: OwnPostgres) -> None:
    """Have PostgreSQL need another segment of its write-ahead log, which ends it."""
    with suppress(asyncpg.PostgresError, OSError):
        for _ in range(SEGMENTS):
            await postgres.execute("select pg_logical_emit_message(false, 'flick', 'a record'), pg_switch_wal()")

"""kill -9 of ingest while it seals hours under load: no sample is lost and none is there twice, wherever it lies.

What is rolled up after it shows every one of them.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local.machine.ports import free_port
from flick.db.pool import Connection, connect, open_pool
from services.ingest.rollups.levels import DAYS, HOURS, MINUTES
from tests.chaos.checking.checker import check
from tests.chaos.house.pipeline import read_metric
from tests.chaos.house.restarted import RestartedIngest, restarted_ingest
from tests.chaos.load.program import Plan, load_program
from tests.databases import DatabaseServer
from tests.integration.ingest.process import ingest_process
from tests.integration.ingest.rollups.stored import check_level
from tests.integration.ingest.schema import telemetry_template
from tests.integration.ingest.sealing.hours import HOUR_NS, Moment, Writer, everything, samples
from tests.tiny_auth import make_auth
from tests.waiting import eventually

SEED = 20_260
AT_ONCE = {"FLICK_INGEST_SEAL_AFTER_S": "0"}
DAY_NS = 24 * HOUR_NS

# Rows and blocks of servers whose agents are none of the load's, and how many of their samples came again.
_LEFT = "select count(*) from telemetry.metrics where server_id = any($1)"
_SEALED = "select coalesce(sum(count), 0) from telemetry.sealed_metrics where server_id = any($1)"
_DUE = "select count(*) from telemetry.rollups_due where server_id = any($1)"
_DUPLICATES = """
    select coalesce(sum(count), 0) from telemetry.deliveries where server_id = any($1) and outcome = 'duplicate'
"""


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How hard: of each server one hour of samples is written before every kill."""

    agents: int
    servers: int
    samples: int
    kills: int


SHORT = _Form(agents=10, servers=8, samples=120, kills=10)
LONG = _Form(agents=100, servers=20, samples=120, kills=50)


class _Hours:
    """Past hours of some servers: what was written, and what is stored of it."""

    def __init__(self, *, writers: list[Writer], owner: Connection) -> None:
        self.servers = [writer.owner.server_id for writer in writers]
        self.written: dict[Moment, Any] = {}
        self.duplicates = 0
        self._writers = writers
        self._owner = owner
        self._began_ns = (time.time_ns() - 10 * DAY_NS) // DAY_NS * DAY_NS

    async def write(self, hour: int, *, count: int) -> None:
        """Another hour of each server, and some of the hour before once more."""
        for number, writer in enumerate(self._writers):
            start_ns = self._began_ns + hour * HOUR_NS
            found = samples(count, seed=number + 1000 * hour, start_ns=start_ns)
            written = await writer.write(found, received_ns=start_ns + HOUR_NS)
            assert written.stored == count
        self.written = dict(await self.stored())

    async def write_again(self, hour: int, *, count: int) -> None:
        """Hand in the beginning of an hour again, which is sealed."""
        for number, writer in enumerate(self._writers):
            start_ns = self._began_ns + hour * HOUR_NS
            again = samples(count, seed=number + 1000 * hour, start_ns=start_ns)
            written = await writer.write(again, received_ns=start_ns + 2 * HOUR_NS)
            assert written.stored == count, "that hour's chunk was not given back"
            self.duplicates += count

    async def stored(self) -> Mapping[Moment, Any]:
        """What is stored of them, in rows and in blocks."""
        return await everything(self._owner, servers=self.servers)

    async def progress(self) -> tuple[int, int]:
        """How many samples lie in rows, which stay until their chunk goes, and how many in blocks."""
        return await self._count(_LEFT), await self._count(_SEALED)

    async def check_rollups(self) -> None:
        """Assert that the next round leaves nothing due, and rollups that show every sample of two of the servers."""
        assert await eventually(lambda: self._count(_DUE), lambda count: not count, within_s=90, every_s=0.1) == 0
        some = self.servers[:2]
        expected = sum(server_id in some for server_id, _ in self.written)
        for level in (MINUTES, HOURS, DAYS):
            assert await check_level(self._owner, level, servers=some) == expected

    async def counted_duplicates(self) -> int:
        """What the ledger says."""
        return await self._count(_DUPLICATES)

    async def _count(self, query: str) -> int:
        return int(await self._owner.fetchval(query, self.servers))


@pytest.mark.timeout(3600)
async def test_killed_while_it_seals_hours_it_loses_and_doubles_nothing(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    rng, form, auth = random.Random(SEED), LONG if long_form else SHORT, make_auth()
    enrolled = [auth.enroll() for _ in range(form.agents)]
    between = 0
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres.database(template=await telemetry_template(postgres)))
        auth_address = await stack.enter_async_context(auth.serving())
        hours = await _hours(stack, postgres, database, servers=form.servers)
        ingest = await stack.enter_async_context(
            restarted_ingest(
                postgres=postgres,
                database=database,
                redis_url=redis_url,
                auth_address=auth_address,
                folder=tmp_path,
                **AT_ONCE,
            )
        )
        plan = Plan(
            address=ingest.address,
            agents={one.server_id: one.key for one in enrolled},
            folder=str(tmp_path / "load"),
            interval_s=0.2,
            backoff_cap_s=1.0,
            past_s=3 * 3600,
        )
        load = await stack.enter_async_context(load_program(plan))
        await load.all_acked_again(since_s=0.0, within_s=60)
        for kill in range(form.kills):
            await hours.write(kill, count=form.samples)
            await ingest.kill()  # the next one begins to seal at once
            between += await _kill_amid(ingest, hours, rng)
            assert await hours.stored() == hours.written, f"after kill {kill + 1}"
        await _all_sealed(hours)
        await hours.write_again(0, count=form.samples // 2)
        await ingest.kill()
        await _kill_amid(ingest, hours, rng)
        await _all_sealed(hours)
        found, (rows, sealed) = await hours.stored(), await hours.progress()
        duplicates = await hours.counted_duplicates()
        await hours.check_rollups()
        await load.settle()
        owner = await connect(postgres.url(database=database), application_name="test")
        stack.push_async_callback(owner.close)
        findings = await check(owner, load.agents)
    print(f"\n{between} of {form.kills} kills came between two hours of a round; {sealed} samples sealed; {findings}")  # noqa: T201

    assert between >= form.kills / 3, "hardly any kill came while hours were sealed"
    assert found == hours.written
    assert (rows, sealed) == (0, len(hours.written))
    assert duplicates == hours.duplicates
    assert findings.clean, findings


@pytest.mark.timeout(600)
async def test_of_two_processes_one_seals_and_when_it_is_killed_the_other_takes_over(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres.database(template=await telemetry_template(postgres)))
        hours = await _hours(stack, postgres, database, servers=12)
        processes = [
            await stack.enter_async_context(
                ingest_process(
                    postgres=postgres,
                    database=database,
                    redis_url=redis_url,
                    log=tmp_path / f"ingest-{number}.log",
                    environment=AT_ONCE,
                )
            )
            for number in range(2)
        ]
        logs = [tmp_path / f"ingest-{number}.log" for number in range(2)]
        (first,) = await eventually(lambda: _leaders(logs), bool, within_s=30, every_s=0.05)
        await hours.write(0, count=120)  # behind the first round of the leader, which looks again in a minute
        processes[first].program.process.kill()
        await _all_sealed(hours)
        found, leaders = await hours.stored(), await _leaders(logs)

    assert found == hours.written
    assert leaders == [0, 1]


@pytest.mark.timeout(600)
async def test_live_commits_hardly_wait_while_hours_are_sealed(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path
) -> None:
    auth, metrics = make_auth(), f"127.0.0.1:{free_port()}"
    enrolled = [auth.enroll() for _ in range(10)]
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres.database(template=await telemetry_template(postgres)))
        auth_address = await stack.enter_async_context(auth.serving())
        hours = await _hours(stack, postgres, database, servers=60)
        ingest = await stack.enter_async_context(
            restarted_ingest(
                postgres=postgres,
                database=database,
                redis_url=redis_url,
                auth_address=auth_address,
                folder=tmp_path,
                FLICK_INGEST_METRICS_LISTEN=metrics,
                **AT_ONCE,
            )
        )
        plan = Plan(
            address=ingest.address,
            agents={one.server_id: one.key for one in enrolled},
            folder=str(tmp_path / "load"),
            interval_s=0.1,
            backoff_cap_s=0.2,
        )
        load = await stack.enter_async_context(load_program(plan))
        await load.all_acked_again(since_s=0.0, within_s=60)
        before = await _commits(metrics)
        await asyncio.sleep(5)
        idle = await _commits(metrics) - before
        for hour in range(3):
            await hours.write(hour, count=360)
        killed_s = time.monotonic()
        await ingest.kill()  # the next one begins to seal at once
        await load.all_acked_again(since_s=killed_s, within_s=60)
        before, (waiting, _) = await _commits(metrics), await hours.progress()
        await _all_sealed(hours)
        busy = await _commits(metrics) - before
        await load.settle()
    print(f"\ncommits took {idle}; while {waiting} samples were sealed {busy}")  # noqa: T201

    assert waiting > 0, "everything was sealed before anything was measured"
    assert busy.count > 5
    assert busy.mean_s < 5 * idle.mean_s


@dataclass(frozen=True)
class _Commits:
    """How many commits there were, and how long they took together."""

    count: float
    seconds: float

    @property
    def mean_s(self) -> float:
        return self.seconds / self.count

    def __sub__(self, other: "_Commits") -> "_Commits":
        return _Commits(self.count - other.count, self.seconds - other.seconds)

    def __str__(self) -> str:
        return f"{self.mean_s * 1e3:.1f} ms ({self.count:.0f})"


async def _commits(metrics: str) -> _Commits:
    count, seconds = [await read_metric(metrics, f"flick_ingest_flush_seconds_{one}") for one in ("count", "sum")]
    return _Commits(count, seconds)


async def _hours(stack: AsyncExitStack, postgres: DatabaseServer, database: str, *, servers: int) -> _Hours:
    owner = await connect(postgres.url(database=database), application_name="test", statement_timeout_s=None)
    stack.push_async_callback(owner.close)
    url = postgres.url(database=database, role="flick_ingest")
    pool = await stack.enter_async_context(open_pool(url, application_name="test"))
    return _Hours(writers=[Writer(pool=pool) for _ in range(servers)], owner=owner)


async def _kill_amid(ingest: RestartedIngest, hours: _Hours, rng: random.Random) -> bool:
    """Kill it at some moment of its round; returns whether some hours were sealed by then and others not."""
    _, sealed_before = await hours.progress()
    await eventually(hours.progress, lambda found: found[1] > sealed_before or not found[0], within_s=30, every_s=0.002)
    await asyncio.sleep(rng.uniform(0, 0.15))
    await ingest.kill()
    return (await hours.progress())[1] < len(hours.written)


async def _all_sealed(hours: _Hours) -> None:
    rows, _ = await eventually(hours.progress, lambda found: not found[0], within_s=90, every_s=0.1)

    assert rows == 0


async def _leaders(logs: Sequence[Path]) -> list[int]:
    """Which of the processes have led."""
    return [number for number, log in enumerate(logs) if '"this process leads"' in log.read_text()]

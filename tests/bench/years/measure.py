"""Asks the questions of the set, of query and in plain SQL by turns, and rolls up a part of it."""

import statistics
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from prometheus_client import CollectorRegistry

from deploy.local.machine.account import database_account
from flick.clock import SystemClock
from flick.db.pool import Connection, connect
from flick.ids import new_id
from services.ingest.aside import Aside
from services.ingest.metrics import IngestMetrics
from services.ingest.rollups.roller import Roller
from services.ingest.rollups.store import RollupStore
from tests.bench.cpu import family_cpu_s
from tests.bench.result import Result
from tests.bench.years.build import BenchSet, build, plan
from tests.bench.years.questions import Ask, Question, nothing, questions
from tests.bench.years.size import FULL, HOUR_SAMPLES, Size
from tests.integration.ingest.schema import telemetry_template
from tests.integration.query.house import QueryHouse, query_house
from tests.servers import postgres_server, redis_server
from tests.tiny_auth import make_auth

RUNS = 21
MOST_RATIO = 1.5  # over the plain SQL of the same run


@dataclass(frozen=True, kw_only=True)
class Years:
    """The set and who is asked about it. `plain` is a connection that reads plain tables."""

    house: QueryHouse
    plain: Connection
    owner: Connection
    found: BenchSet
    postgres_pid: int

    def questions(self) -> Sequence[Question]:
        """What is asked of it."""
        return questions(self.house, self.plain, self.found)

    async def roll_up(self) -> float:
        """Roll up the sealed hours of all servers, to minutes, and to hours and days what days are over.

        Returns the processor time of ingest's roller and of PostgreSQL together, in seconds per million samples.
        """
        hours = await self.owner.fetchval("select count(*) from telemetry.rollups_due where not has_minutes")
        await self.owner.execute("checkpoint")
        began_s = time.process_time() + family_cpu_s(self.postgres_pid)
        while await self.owner.fetchval("select exists (select from telemetry.rollups_due where not has_minutes)"):
            await Roller(
                store=RollupStore(),
                aside=Aside(),
                after_s=0,
                metrics=IngestMetrics(registry=CollectorRegistry()).rollups,
                clock=_Hasty(),
            ).work(self.owner)
        await self.owner.execute("checkpoint")
        cost_s = time.process_time() + family_cpu_s(self.postgres_pid) - began_s
        return cost_s / int(hours * HOUR_SAMPLES) * 1e6


class _Hasty(SystemClock):
    """In no need to leave others their time."""

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await super().sleep(0)


@asynccontextmanager
async def years(size: Size) -> AsyncIterator[Years]:
    """The set, built while entering, with a query that answers about it."""
    account = database_account()
    async with AsyncExitStack() as stack:
        postgres, pid = await stack.enter_async_context(postgres_server(account))
        redis_url, _ = await stack.enter_async_context(redis_server(account))
        database = await stack.enter_async_context(postgres.database(template=await telemetry_template(postgres)))
        url = postgres.admin_url(database=database)
        owner, plain = [await connect(url, application_name="bench", statement_timeout_s=None) for _ in range(2)]
        stack.push_async_callback(owner.close)
        stack.push_async_callback(plain.close)
        auth, organization_id = make_auth(), str(new_id())
        _, metadata = auth.person(organization_id=organization_id)
        server_ids = [uuid.UUID(auth.server(organization_id=organization_id)) for _ in range(size.servers)]
        found = plan(size, now_us=time.time_ns() // 1000, server_ids=server_ids)
        await build(owner, found)
        house = await stack.enter_async_context(
            query_house(
                database_url=postgres.url(database=database, role="flick_query"),
                owner_url=url,
                redis_url=redis_url,
                auth=auth,
            )
        )
        house = replace(house, metadata=metadata)
        await house.knows(str(server_ids[-1]), metadata)
        yield Years(house=house, plain=plain, owner=owner, found=found, postgres_pid=pid)


async def measure(_steady_s: float) -> list[Result]:
    """Milliseconds of each answer, beside the plain SQL's, and what rolling up costs."""
    began_s = time.monotonic()
    async with years(FULL) as running:
        size_gb = await running.owner.fetchval("select pg_database_size(current_database())") / 1e9
        results = [
            Result(name="years_build", value=time.monotonic() - began_s, unit="s", goal=1200),
            Result(name="years_size", value=size_gb, unit="GB", goal=20),
        ]
        results.append(await _timed_nothing(running.house))
        for question in running.questions():
            results += await _timed(question)
        results.append(Result(name="rollup_per_million", value=await running.roll_up(), unit="s"))
    return results


async def _timed_nothing(house: QueryHouse) -> Result:
    """What of every answer is not reading."""
    _, metadata = house.auth.person(organization_id=str(new_id()))
    taken = [await _seconds(partial(nothing, house, metadata)) for _ in range(RUNS + 1)]
    return Result(name="answer_of_nothing", value=statistics.median(taken[1:]) * 1e3, unit="ms")


async def _timed(question: Question) -> list[Result]:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(RUNS + 1):
        await question.prepare()
        ours.append(await _seconds(question.product))
        theirs.append(await _seconds(question.plain))
    value, plain = (statistics.median(taken[1:]) * 1e3 for taken in (ours, theirs))
    results = [Result(name=question.name, value=value, unit="ms", ceiling=plain, goal=MOST_RATIO)]
    if question.goal_ms is not None:
        results.append(Result(name=f"{question.name}_alone", value=value, unit="ms", goal=question.goal_ms))
    return results


async def _seconds(ask: Ask) -> float:
    began_s = time.perf_counter()
    await ask()
    return time.perf_counter() - began_s

"""PostgreSQL away for long: agents keep everything; when it is back, live samples come at once, the backlog beside."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.identity import Identity
from flick.db.pool import Connection, connect
from flick.lifecycle import background
from services.ingest.writing.writer import RETRY_CAP_S
from tests.chaos.checking.stored import read_times_us
from tests.chaos.faults.own_postgres import OwnPostgres
from tests.chaos.house.pipeline import Pipeline, pipeline
from tests.chaos.house.real_agent import real_agent
from tests.chaos.load import under_load
from tests.integration.agent.certificates import Authority
from tests.report import report
from tests.tiny_auth import Enrolled
from tests.waiting import eventually, until

LIVE_LAG_S = 5.0  # the goal, as soon as agents have come back
CURRENT_S = 2 * RETRY_CAP_S  # until then: the wait that they were told, and as long again to be stored
DRAIN_RATIO = 3.0  # of the live rate, of that table; the long form holds it
LOOK_EVERY_S = 0.25
REAL_AGENTS = 2
LATE = 0.75  # of the time away
MEASURED = 0.5  # of the moments of the grid, at least: on a machine without time an agent misses some


@dataclass(kw_only=True)
class Lags:
    """How old the newest stored sample of the server that is furthest behind was, look by look, in seconds."""

    seen: list[tuple[float, float]] = field(default_factory=list)

    def current_at_s(self, limit_s: float) -> float:
        """When every server was first current to `limit_s` seconds; infinite when never."""
        return next((at_s for at_s, lag_s in self.seen if lag_s < limit_s), math.inf)

    def worst_s(self, *, since_s: float) -> float:
        """The worst from a moment on."""
        return max((lag_s for at_s, lag_s in self.seen if at_s >= since_s), default=math.inf)


@pytest.mark.timeout(1500)
async def test_everything_arrives_and_what_is_live_does_not_wait_for_the_backlog(
    mortal_postgres: OwnPostgres, mortal_telemetry: str, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    away_s, agents, interval_s = (600.0, 200, 1.0) if long_form else (4.0, 20, 0.2)
    async with pipeline(
        postgres=mortal_postgres.server,
        database=mortal_telemetry,
        redis_url=redis_url,
        folder=tmp_path,
        agents=agents,
        interval_s=interval_s,
    ) as line:
        async with under_load(line.agents, settle_s=300.0):
            await line.flows()
            await mortal_postgres.process.stop()
            acked = line.acked
            await asyncio.sleep(away_s)
            acked_while_away = line.acked - acked
            ready_s = await mortal_postgres.start()
            async with _watched_lags(line) as lags:
                drained = await _drained(line)
                ended_s = time.monotonic()
                await asyncio.sleep(2 * LOOK_EVERY_S)
        findings = await line.findings()
    limit_s = LIVE_LAG_S if long_form else away_s
    current_at_s = lags.current_at_s(limit_s)
    live_per_s, drain_s = agents / interval_s, ended_s - ready_s
    report(
        f"database away for {away_s:g} s",
        drained=drained,
        drain_s=round(drain_s, 1),
        drain_per_s=round(drained / drain_s),
        live_per_s=round(live_per_s),
        current_s=round(current_at_s - ready_s, 2),
        worst_lag_then_s=round(lags.worst_s(since_s=current_at_s), 2),
        findings=findings,
    )

    assert acked_while_away == 0
    assert findings.clean, findings
    assert findings.dropped == 0
    assert lags.worst_s(since_s=current_at_s) < limit_s
    if long_form:
        assert current_at_s - ready_s < CURRENT_S
        assert drained / drain_s > DRAIN_RATIO * live_per_s
    assert len(line.logged("serving")) == 1, "ingest itself was started again"


@pytest.mark.timeout(600)
async def test_real_agents_keep_what_they_measure_and_hand_it_in(
    mortal_postgres: OwnPostgres, mortal_telemetry: str, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    away_s, authority = 120.0 if long_form else 4.0, Authority()
    async with pipeline(
        postgres=mortal_postgres.server,
        database=mortal_telemetry,
        redis_url=redis_url,
        folder=tmp_path,
        agents=1,
        authority=authority,
    ) as line:
        real = [line.auth.enroll() for _ in range(REAL_AGENTS)]
        for one in real:
            line.auth.change_settings(one, interval_s=1)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(under_load(line.agents))
            agents = []
            for one in real:
                identity = Identity(
                    server_id=one.server_id,
                    agent_key=one.key,
                    ingest_address=line.ingest.address,
                    ca_pem=authority.pem,
                )
                started = real_agent(identity=identity, folder=tmp_path / one.server_id)
                agents.append(await stack.enter_async_context(started))
            assert min(await eventually(lambda: _counts(line, real, since=0.0), lambda counts: min(counts) > 0)) > 0
            await mortal_postgres.process.stop()
            stopped = time.time()
            await asyncio.sleep(away_s * LATE)
            if long_form:  # what it measured until now is on its disk; more than half would be missing
                await agents[0].kill()
            await asyncio.sleep(away_s * (1 - LATE))
            back = time.time()
            await mortal_postgres.start()
            counts = await eventually(
                lambda: _counts(line, real, since=stopped, until=back), lambda counts: min(counts) >= away_s * MEASURED
            )
            query = "select count(*) from telemetry.gaps where server_id <> all($1::uuid[])"
            gaps = await _fetchval(line, query, [one.server_id for one in real[:1] if long_form])  # that was killed
        findings = await line.findings()
    report(f"real agents, database away for {away_s:g} s", measured_while_away=counts, gaps=gaps)

    assert min(counts) >= away_s * MEASURED
    assert gaps == 0
    assert findings.clean, findings


async def _counts(line: Pipeline, servers: Sequence[Enrolled], *, since: float, until: float = 2.0**32) -> list[int]:
    """How many samples of each server are stored that were measured within a span of seconds since the Unix epoch."""
    owner = await connect(line.owner_url, application_name="test")
    try:
        stored = [await read_times_us(owner, one.server_id) for one in servers]
    finally:
        await owner.close()
    return [sum(since <= time_us / 1e6 <= until for time_us in times_us) for times_us in stored]


async def _fetchval(line: Pipeline, query: str, *arguments: object) -> int:
    owner = await connect(line.owner_url, application_name="test")
    try:
        return int(await owner.fetchval(query, *arguments))
    finally:
        await owner.close()


async def _drained(line: Pipeline) -> int:
    """Wait until the backlog that there is now is acked; how many samples it was."""
    backlog = sum(agent.measured_total for agent in line.agents) - line.acked
    wanted = [agent.measured_total for agent in line.agents]
    await until(
        lambda: all(agent.acked_total >= count for agent, count in zip(line.agents, wanted, strict=True)),
        within_s=300.0,
    )
    return backlog


@asynccontextmanager
async def _watched_lags(line: Pipeline) -> AsyncIterator[Lags]:
    owner = await connect(line.owner_url, application_name="test")
    lags = Lags()
    try:
        async with background(_watch(owner, lags), name="lags"):
            yield lags
    finally:
        await owner.close()


async def _watch(owner: Connection, lags: Lags) -> None:
    while True:
        lag_s = await owner.fetchval(
            "select max(lag) from (select extract(epoch from clock_timestamp() - max(time))::float8 as lag"
            " from telemetry.metrics where time > now() - interval '1 day' group by server_id) as servers"
        )
        lags.seen.append((time.monotonic(), lag_s))
        await asyncio.sleep(LOOK_EVERY_S)

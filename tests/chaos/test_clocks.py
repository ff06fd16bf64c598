"""Agents whose clocks are wrong: the real one stores the right times whatever the host's clock says, one that believes
its host is refused what lies in the future and told why, and nobody else notices.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.agent import run_agent
from agent.host import this_host
from agent.identity import Identity
from agent.spool.limits import SpoolLimits
from flick.clock import SystemClock
from flick.db.pool import connect
from flick.v1 import delivery_pb2, ingest_pb2
from tests.chaos.house.pipeline import Pipeline, pipeline, reader
from tests.chaos.load import LoadAgent, under_load
from tests.chaos.load.samples import Measured
from tests.databases import DatabaseServer
from tests.integration.agent.certificates import Authority
from tests.integration.ingest.schema import telemetry_template
from tests.report import report
from tests.tiny_auth import Enrolled
from tests.waiting import eventually

HOUR_S, DAY_S = 3600.0, 86_400.0
TOLD_WITHIN_S = 60.0  # the goal
NEAR_S = 60.0  # what a loaded machine may be late; every wrong clock here is off by much more
OTHERS = 5
INTERVAL_S = 0.2


class WrongClock(SystemClock):
    """A host's clocks, of which the wall clock is wrong."""

    def __init__(self, *, ahead_s: float) -> None:
        self.ahead_s = ahead_s

    def time_unix_nano(self) -> int:
        """See `Clock`."""
        return super().time_unix_nano() + round(self.ahead_s * 1e9)


@dataclass(kw_only=True)
class BelievingAgent(LoadAgent):
    """An agent that takes its host's clock, which is `ahead_s` ahead, for the truth."""

    ahead_s: float

    def _now_us(self) -> int:
        return time.time_ns() // 1000 + round(self.ahead_s * 1e6)

    def _measure(self) -> Measured:
        self._last_us = max(self._last_us + 1, self._now_us())
        self.measured_total += 1
        return self._instrument.measure(self._last_us)

    def _new_hello(self) -> ingest_pb2.Hello:
        hello = super()._new_hello()
        hello.send_time.FromMicroseconds(self._now_us())
        return hello


@pytest.mark.timeout(300)
async def test_the_real_agent_stores_the_right_times_whatever_its_host_s_clock_says(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    samples, authority = 20 if long_form else 2, Authority()
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        pipeline(
            postgres=postgres, database=database, redis_url=redis_url, folder=tmp_path, agents=1, authority=authority
        ) as line,
    ):
        (enrolled,) = line.enrolled
        line.auth.change_settings(enrolled, interval_s=1)
        clock = WrongClock(ahead_s=HOUR_S)
        async with _real_agent(line, authority, clock, tmp_path):
            await _stored_more(line, enrolled, samples)
            told = [await _clock_offset_s(line, enrolled)]  # as Hello told it; a step is told within about a minute
            for ahead_s in (-DAY_S, DAY_S, -HOUR_S):
                clock.ahead_s = ahead_s
                await _stored_more(line, enrolled, samples)
        clock.ahead_s = -DAY_S
        async with _real_agent(line, authority, clock, tmp_path):
            await _stored_more(line, enrolled, samples)
            told.append(await _clock_offset_s(line, enrolled))
        rows = await _fetch(
            line,
            "select extract(epoch from time)::float8 as time, extract(epoch from received_at)::float8 as received"
            " from telemetry.metrics where server_id = $1 order by received_at, time",
            enrolled.server_id,
        )
        events = await eventually(lambda: _events(line, enrolled), bool, within_s=TOLD_WITHIN_S)
        refused = await line.metric("flick_ingest_samples_rejected_total")
    times = [row["time"] for row in rows]
    worst_s = max(abs(row["time"] - row["received"]) for row in rows)
    report("real agent", samples=len(times), worst_s=round(worst_s, 1), told_s=[round(one) for one in told])

    assert refused == 0
    assert times == sorted(set(times)), "times repeat or go back"
    assert worst_s < NEAR_S
    assert told == [pytest.approx(HOUR_S, abs=NEAR_S), pytest.approx(-DAY_S, abs=NEAR_S)]
    assert events >= 1


@pytest.mark.timeout(300)
async def test_what_an_agent_believes_of_the_future_is_refused_and_others_do_not_notice(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    steady_s = 20.0 if long_form else 2.0
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        pipeline(
            postgres=postgres, database=database, redis_url=redis_url, folder=tmp_path, agents=OTHERS + 4,
            interval_s=INTERVAL_S,
        ) as line,
        reader(line, postgres=postgres, database=database, redis_url=redis_url, folder=tmp_path) as eyes,
    ):  # fmt: skip
        others = line.agents[:OTHERS]
        hour, day, past, stepped = wrong = [
            _believing(line, enrolled, ahead_s)
            for enrolled, ahead_s in zip(line.enrolled[OTHERS:], (HOUR_S, DAY_S, -DAY_S, 0.0), strict=True)
        ]
        line.agents[OTHERS:] = wrong
        async with under_load(line.agents), eyes.watching():
            await line.flows()
            await eyes.live()
            before = stepped.acked_total
            stepped.ahead_s = HOUR_S
            stepped_at_s = time.monotonic()
            assert await eventually(lambda: _rejected(line, stepped.server_id), bool, within_s=TOLD_WITHIN_S) > 0
            told_s = time.monotonic() - stepped_at_s
            await eyes.live()
            await asyncio.sleep(steady_s)
            stepped.ahead_s = -HOUR_S
            await line.flows()
            await eyes.live()
        findings = await line.findings()
        stored = [await _stored(line, one.server_id) for one in wrong]
        rejected = [await _rejected(line, one.server_id) for one in wrong]
        events = [
            await eventually(lambda one=one: _events(line, one), bool, within_s=TOLD_WITHIN_S)  # type: ignore[misc]
            for one in line.enrolled[OTHERS : OTHERS + 3]
        ]
        of_others = [await _events(line, one) for one in line.enrolled[:OTHERS]]
        counted = await line.metric("flick_ingest_samples_rejected_total", reason="future")
    report("believing agents", told_s=round(told_s, 1), stored=stored, rejected=rejected, findings=findings)

    assert findings.clean, findings
    assert [one.refused for one in others] == [0] * OTHERS
    assert (stored[0], stored[1]) == (0, 0)
    assert (rejected[0], rejected[1]) == (hour.measured_total, day.measured_total)
    assert (stored[2], rejected[2]) == (past.measured_total, 0), "what is a day old is welcome"
    assert stored[3] >= before
    assert stored[3] + rejected[3] == stepped.measured_total
    assert counted == sum(rejected)
    assert told_s < TOLD_WITHIN_S
    assert min(events) >= 1, "a clock that is off at Hello is an event of its server"
    assert max(of_others) == 0


@asynccontextmanager
async def _real_agent(line: Pipeline, authority: Authority, clock: WrongClock, folder: Path) -> AsyncIterator[None]:
    """The first server's agent, running while entered; its spool stays."""
    (enrolled,) = line.enrolled
    stop = asyncio.Event()
    running = asyncio.create_task(
        run_agent(
            identity=Identity(
                server_id=enrolled.server_id,
                agent_key=enrolled.key,
                ingest_address=line.ingest.address,
                ca_pem=authority.pem,
            ),
            clock=clock,
            rng=random.Random(1),
            host=this_host,
            memory_bytes=10**12,  # it shares this process with the test
            version="0.0.0",
            spool_path=folder / "spool.db",
            spool_limits=SpoolLimits(),
            stop=stop,
        )
    )
    try:
        yield
    finally:
        stop.set()
        await running


def _believing(line: Pipeline, enrolled: Enrolled, ahead_s: float) -> BelievingAgent:
    return BelievingAgent(
        address=line.ingest.address,
        key=enrolled.key,
        server_id=enrolled.server_id,
        interval_s=INTERVAL_S,
        rng=random.Random(enrolled.server_id),
        ahead_s=ahead_s,
    )


async def _stored_more(line: Pipeline, enrolled: Enrolled, count: int) -> None:
    """Wait until so many more samples of the server are stored."""
    wanted = await _stored(line, enrolled.server_id) + count
    found = await eventually(lambda: _stored(line, enrolled.server_id), lambda now: now >= wanted, within_s=NEAR_S)
    assert found >= wanted, f"{found} of {wanted} samples are stored; the agent stalls"


async def _stored(line: Pipeline, server_id: str) -> int:
    return await _number(line, "select count(*) from telemetry.metrics where server_id = $1", server_id)


async def _rejected(line: Pipeline, server_id: str) -> int:
    """How many samples of the server were refused for being of the future, as its delivery tells."""
    return await _number(
        line,
        "select coalesce(sum(count), 0) from telemetry.deliveries"
        " where outcome = 'rejected' and server_id = $1 and reason = $2",
        server_id,
        ingest_pb2.REJECTION_REASON_FUTURE,
    )


async def _events(line: Pipeline, enrolled: Enrolled) -> int:
    """How many rows tell of the server's clock; those of one minute are one."""
    query = "select count(*) from telemetry.delivery_events where server_id = $1 and kind = $2"
    return await _number(line, query, enrolled.server_id, delivery_pb2.DELIVERY_EVENT_KIND_CLOCK_OFFSET)


async def _clock_offset_s(line: Pipeline, enrolled: Enrolled) -> float:
    (row,) = await _fetch(line, "select clock_offset_s from telemetry.streams where server_id = $1", enrolled.server_id)
    return float(row["clock_offset_s"])


async def _number(line: Pipeline, query: str, *arguments: Any) -> int:
    (row,) = await _fetch(line, query, *arguments)
    return int(row[0])


async def _fetch(line: Pipeline, query: str, *arguments: Any) -> list[Any]:
    owner = await connect(line.owner_url, application_name="test")
    try:
        return list(await owner.fetch(query, *arguments))
    finally:
        await owner.close()

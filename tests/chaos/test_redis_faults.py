"""Redis killed, frozen, emptied and full: nothing but the live view notices, and that is back soon after."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from flick.errors import FlickError, Kind
from flick.v1 import ingest_pb2
from tests.chaos.faults.own_redis import OwnRedis
from tests.chaos.house.pipeline import Pipeline, pipeline, reader
from tests.chaos.load import under_load
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import scripted_agent
from tests.integration.ingest.schema import telemetry_template
from tests.report import report
from tests.tiny_auth import Enrolled
from tests.waiting import until

LEAST_RATE = 0.95  # of the undisturbed rate, and
BACK_S = 5.0  # after Redis is; the long form holds both goals

Fault = Callable[[OwnRedis], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def killed(redis: OwnRedis) -> AsyncIterator[None]:
    """kill -9; it comes back empty."""
    await redis.process.kill()
    yield
    await redis.start()


@asynccontextmanager
async def frozen(redis: OwnRedis) -> AsyncIterator[None]:
    """SIGSTOP."""
    redis.process.freeze()
    yield
    redis.process.thaw()


@asynccontextmanager
async def emptied(redis: OwnRedis) -> AsyncIterator[None]:
    """FLUSHALL."""
    await redis.command("flushall")
    yield


@asynccontextmanager
async def full(redis: OwnRedis) -> AsyncIterator[None]:
    """maxmemory reached: it refuses to store anything."""
    await redis.fill()
    yield
    await redis.widen()


FAULTS: list[Fault] = [killed, frozen, emptied, full]
ALIVE = (emptied, full)  # it still publishes


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one fault did: the rate of acks beside the undisturbed one, and when the live view was back."""

    rate: float
    back_s: float
    statuses: set[int]


@pytest.mark.timeout(600)
async def test_only_the_live_view_notices_and_it_is_back_soon(
    postgres: DatabaseServer, mortal_redis: OwnRedis, tmp_path: Path, long_form: bool
) -> None:
    phase_s, seen = 30.0 if long_form else 1.0, dict[str, Seen]()
    url = mortal_redis.url
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        pipeline(postgres=postgres, database=database, redis_url=url, folder=tmp_path) as line,
        reader(line, postgres=postgres, database=database, redis_url=url, folder=tmp_path) as eyes,
    ):
        async with under_load(line.agents), eyes.watching():
            await line.flows()
            await eyes.live()
            quiet = await _rate(line, for_s=phase_s)
            for fault in FAULTS:
                async with fault(mortal_redis):
                    rate = await _rate(line, for_s=phase_s)
                    status = await eyes.latest()
                    if fault in ALIVE:
                        await eyes.live()
                began_s = time.monotonic()
                await eyes.live()
                seen[fault.__name__] = Seen(
                    rate=rate / quiet, back_s=time.monotonic() - began_s, statuses={status, await eyes.latest()}
                )
        findings = await line.findings()
    report("redis", quiet_per_s=round(quiet, 1), seen=seen, findings=findings)

    assert findings.clean, findings
    assert all(one.statuses == {200} for one in seen.values()), seen
    assert min(one.rate for one in seen.values()) > (LEAST_RATE if long_form else 0.5)
    assert max(one.back_s for one in seen.values()) < (BACK_S if long_form else 2 * BACK_S)
    assert not line.logged("commits fail, agents send again")
    assert len(line.logged("serving")) == 1, "ingest itself was started again"


async def test_what_is_revoked_stays_revoked_whatever_redis_forgets(
    postgres: DatabaseServer, mortal_redis: OwnRedis, tmp_path: Path
) -> None:
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        pipeline(postgres=postgres, database=database, redis_url=mortal_redis.url, folder=tmp_path, agents=2) as line,
    ):
        revoked = line.enrolled[0]
        async with under_load(line.agents[1:]):
            await until(lambda: line.acked)
            async with scripted_agent(line.ingest.address, key=revoked.key) as agent:
                await agent.hello()
                async with killed(mortal_redis):
                    line.auth.revoke(revoked)
                    endings = [await agent.ending(), await _refusal(line, revoked)]
            async with emptied(mortal_redis):
                endings.append(await _refusal(line, revoked))
            await line.next_ack()

    assert [ending and ending.kind for ending in endings] == [Kind.UNAUTHENTICATED] * 3


async def _refusal(line: Pipeline, revoked: Enrolled) -> FlickError | None:
    """How ingest answers a Hello."""
    async with scripted_agent(line.ingest.address, key=revoked.key) as agent:
        with suppress(grpc.aio.AioRpcError):
            await agent.send(ingest_pb2.Hello())
        return await agent.ending()


async def _rate(line: Pipeline, *, for_s: float) -> float:
    """Samples acked in a second."""
    acked, began_s = line.acked, time.monotonic()
    await asyncio.sleep(for_s)
    return (line.acked - acked) / (time.monotonic() - began_s)

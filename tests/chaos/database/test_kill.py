"""kill -9 of PostgreSQL under load: nothing acked is lost, and ingest finds back to it by itself."""

import asyncio
import random
from pathlib import Path

import pytest

from services.ingest.writing.writer import RETRY_CAP_S
from tests.chaos.faults.own_postgres import OwnPostgres
from tests.chaos.house.pipeline import SEED, Pipeline, pipeline
from tests.chaos.load import under_load
from tests.report import report

FIRST_ACK_S = 5.0  # the goal, after the database is ready; the long form holds it


@pytest.mark.timeout(600)
async def test_postmaster_and_backends_killed_at_random_moments_lose_nothing_that_was_acked(
    mortal_postgres: OwnPostgres, mortal_telemetry: str, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    rng, kills = random.Random(SEED), 10 if long_form else 2
    async with pipeline(
        postgres=mortal_postgres.server, database=mortal_telemetry, redis_url=redis_url, folder=tmp_path
    ) as line:
        async with under_load(line.agents):
            await line.flows()
            first_acks_s = [await _kill(mortal_postgres, line, rng) for _ in range(kills)]
            for _ in range(kills // 2):
                await line.flows()
                await mortal_postgres.kill_backend("flick-ingest")
            await line.flows()
        findings = await line.findings()
    report("postmaster killed", first_acks_s=[round(one, 2) for one in first_acks_s], findings=findings)

    assert findings.clean, findings
    assert (findings.rejected, findings.dropped) == (0, 0)
    assert line.logged("commits succeed again")
    assert "all server processes terminated; reinitializing" in mortal_postgres.process.log.read_text()
    assert len(line.logged("serving")) == 1, "ingest itself was started again"
    assert max(first_acks_s) < (FIRST_ACK_S if long_form else 2 * RETRY_CAP_S)


async def _kill(postgres: OwnPostgres, line: Pipeline, rng: random.Random) -> float:
    """Kill it, start it a moment later; how many seconds after it was ready the first ack came."""
    await asyncio.sleep(rng.uniform(0.3, 1.5))
    await postgres.kill()
    await asyncio.sleep(rng.uniform(0.0, 1.0))
    ready_s = await postgres.start()
    return await line.next_ack() - ready_s

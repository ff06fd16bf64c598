"""kill -9 of ingest under load: what was acked is stored, everything else is sent again, nothing is there twice."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.machine.ports import free_port
from flick.db.pool import connect
from tests.chaos.checker import check
from tests.chaos.load import LoadAgent, under_load
from tests.databases import DatabaseServer
from tests.deployables import program
from tests.integration.ingest.schema import telemetry_template
from tests.tiny_auth import TinyAuth, make_auth

SEED = 20_260
AGENTS = 20


@asynccontextmanager
async def _restarted(*, environment: dict[str, str], folder: Path) -> AsyncIterator["_Ingest"]:
    ingest = _Ingest(environment=environment, folder=folder)
    task = asyncio.create_task(ingest.run())
    try:
        await asyncio.wait_for(ingest.up.wait(), timeout=30)
        yield ingest
    finally:
        ingest.stop.set()
        await task


class _Ingest:
    """An ingest that is started again whenever it was killed."""

    def __init__(self, *, environment: dict[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder
        self.up = asyncio.Event()
        self.stop = asyncio.Event()
        self._kill = asyncio.Event()
        self.starts = 0

    async def run(self) -> None:
        while not self.stop.is_set():
            self.starts += 1
            log = self._folder / f"ingest-{self.starts}.log"
            async with program("services.ingest", environment=self._environment, log=log) as running:
                self.up.set()
                waiting = {asyncio.create_task(event.wait()) for event in (self._kill, self.stop)}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
                if self._kill.is_set():
                    running.process.kill()
                    await running.process.wait()
            self._kill.clear()

    async def kill(self) -> None:
        """SIGKILL; returns when the next one serves."""
        self.up.clear()
        self._kill.set()
        await asyncio.wait_for(self.up.wait(), timeout=30)


@pytest.mark.timeout(600)  # the long form takes two minutes
async def test_killed_at_random_moments_it_loses_nothing_that_was_acked(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    rng = random.Random(SEED)
    auth, kills = make_auth(), 20 if long_form else 3
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        auth.serving() as auth_address,
    ):
        listen = f"127.0.0.1:{free_port()}"
        environment = {
            "FLICK_INGEST_LISTEN": listen,
            "FLICK_INGEST_DATABASE_URL": postgres.url(database=database, role="flick_ingest"),
            "FLICK_INGEST_SERVICE_SECRET": "secret",
            "FLICK_REDIS_URL": redis_url,
            "FLICK_AUTH_ADDRESS": auth_address,
        }
        agents = [_agent(auth, listen, rng) for _ in range(AGENTS)]
        async with _restarted(environment=environment, folder=tmp_path) as ingest, under_load(agents):
            for _ in range(kills):
                await asyncio.sleep(rng.uniform(0.3, 1.5))
                await ingest.kill()
            await asyncio.sleep(0.5)
        reader = await connect(postgres.url(database=database), application_name="test")
        findings = await check(reader, agents)
        await reader.execute("delete from telemetry.metrics where server_id = $1", agents[0].server_id)
        with_a_loss = await check(reader, agents)
        await reader.close()

    assert (ingest.starts, sum(agent.refused for agent in agents)) == (kills + 1, 0)
    assert sum(len(agent.acked) for agent in agents) > kills * AGENTS
    assert findings.clean, findings
    assert with_a_loss.acked_not_stored == len(agents[0].acked), "the checker is blind"


def _agent(auth: TinyAuth, address: str, rng: random.Random) -> LoadAgent:
    enrolled = auth.enroll()
    return LoadAgent(
        address=address,
        key=enrolled.key,
        server_id=enrolled.server_id,
        interval_s=0.05,
        rng=random.Random(rng.random()),
    )

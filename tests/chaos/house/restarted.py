"""An ingest that is started again whenever it was killed, as its supervisor would."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.machine.ports import free_port
from tests.databases import DatabaseServer
from tests.deployables import Program, program
from tests.integration.ingest.process import ingest_environment

START_WITHIN_S = 30.0


class RestartedIngest:
    """An ingest at one address.

    Attributes:
        up: set while it serves.
        starts: how often it was started.
        restarts_s: from each kill until it served again, in seconds.
    """

    def __init__(self, *, environment: Mapping[str, str], folder: Path) -> None:
        self.up = asyncio.Event()
        self.starts = 0
        self.restarts_s: list[float] = []
        self._environment = dict(environment)
        self._folder = folder
        self._stop = asyncio.Event()
        self._away_s = 0.0
        self._running: Program | None = None

    @property
    def address(self) -> str:
        """Where it serves."""
        return self._environment["FLICK_INGEST_LISTEN"]

    @property
    def pid(self) -> int | None:
        """Its process now, if any."""
        return self._running.process.pid if self._running else None

    @property
    def logs(self) -> list[Path]:
        """The log of every start."""
        return [self._folder / f"ingest-{number}.log" for number in range(1, self.starts + 1)]

    async def kill(self, *, away_s: float = 0.0) -> None:
        """SIGKILL, and nothing for `away_s` seconds; returns when the next one serves."""
        assert self._running is not None, "it does not run"
        self._away_s = away_s
        began_s = time.monotonic()
        self.up.clear()
        self._running.process.kill()
        await asyncio.wait_for(self.up.wait(), timeout=away_s + START_WITHIN_S)
        self.restarts_s.append(time.monotonic() - began_s)

    async def run(self) -> None:
        """Keep it running until `stop`."""
        while not self._stop.is_set():
            self.starts += 1
            async with program("services.ingest", environment=self._environment, log=self.logs[-1]) as running:
                self._running = running
                self.up.set()
                await self._ended_or_stopped(running)
            self._running = None
            await asyncio.sleep(self._away_s)

    def stop(self) -> None:
        """Let `run` end."""
        self._away_s = 0.0
        self._stop.set()

    async def _ended_or_stopped(self, running: Program) -> None:
        waiting = {asyncio.create_task(running.process.wait()), asyncio.create_task(self._stop.wait())}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()


@asynccontextmanager
async def restarted_ingest(
    *, postgres: DatabaseServer, database: str, redis_url: str, auth_address: str, folder: Path, **more: str
) -> AsyncIterator[RestartedIngest]:
    """An ingest on a loopback port of its own, serving while entered; `more` are further settings of it."""
    ingest = RestartedIngest(
        environment={
            **ingest_environment(postgres=postgres, database=database, redis_url=redis_url, auth_address=auth_address),
            "FLICK_INGEST_LISTEN": f"127.0.0.1:{free_port()}",
            "FLICK_INGEST_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
            **more,
        },
        folder=folder,
    )
    task = asyncio.create_task(ingest.run())
    try:
        serving = asyncio.create_task(ingest.up.wait())
        await asyncio.wait({serving, task}, timeout=START_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        if task.done():
            task.result()
        yield ingest
    finally:
        ingest.stop()
        await task

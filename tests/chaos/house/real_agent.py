"""The real agent as a program of its own, measuring this very machine."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.identity import Identity, write
from tests.deployables import ROOT, end


class RealAgent:
    """An agent that may be killed and started again with the same identity and spool. Its log goes on in one file."""

    def __init__(self, *, identity: Identity, folder: Path) -> None:
        self.log = folder / "agent.log"
        self._identity_file = folder / "identity.json"
        write(self._identity_file, identity)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its process now, if any."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it; it connects when it can."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
        with self.log.open("ab") as sink:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "agent", "run"),
                env={**inherited, "FLICK_AGENT_IDENTITY": str(self._identity_file)},
                stdout=sink,
                stderr=sink,
                cwd=ROOT,
            )

    async def kill(self) -> None:
        """SIGKILL, and start it again."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        await self.start()

    async def stop(self) -> None:
        """End it well."""
        if self._process is not None:
            await end(self._process, within_s=10)

    def complaints(self) -> list[str]:
        """What it logged that is no information: warnings, errors, and words of anybody else than its logger."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or json.loads(line)["level"] != "INFO"]

    def messages(self) -> list[str]:
        """What it said, in order."""
        return [json.loads(line)["message"] for line in self.log.read_text().splitlines() if line.startswith("{")]


@asynccontextmanager
async def real_agent(*, identity: Identity, folder: Path) -> AsyncIterator[RealAgent]:
    """The agent, running while entered; `folder` gets its identity, its spool and its log."""
    folder.mkdir()
    agent = RealAgent(identity=identity, folder=folder)
    await agent.start()
    try:
        yield agent
    finally:
        await agent.stop()

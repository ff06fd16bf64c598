"""Runs the agents of the backfill as a program of their own."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deployables import ROOT, STOP_WITHIN_S, end

_LINE_BYTES = 64 * 1024 * 1024  # an answer has two numbers for each sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How far the backlog is: samples that are acked, and the program's own processor time."""

    backlog_acked: int
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lags:
    """Of each sample: milliseconds from its time to its ack, and from when it was to be sent."""

    lag_ms: list[float]
    ack_ms: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Of each agent, in the order of keys: how many samples it has measured, and of how many it has an ack."""

    taken: list[int]
    acked: list[int]


class BackfillLoad:
    """The running program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def begin(self) -> None:
        """Connect every agent; returns when all of them have a stream."""
        await self._ask("begin")

    async def told(self) -> Told:
        """How it stands."""
        return Told(**json.loads(await self._ask("told")))

    async def lags(self, *, start_ns: int, end_ns: int) -> Lags:
        """Of everything that was measured within a span, once all of it is acked."""
        return Lags(**json.loads(await self._ask(f"lags {start_ns} {end_ns}")))

    async def end(self) -> Kept:
        """End every agent; what became of their samples."""
        return Kept(**json.loads(await self._ask("end")))

    async def ready(self) -> None:
        """Wait until it obeys."""
        assert await self._line() == b"ready\n"

    async def _ask(self, command: str) -> bytes:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        return await self._line()

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the agents' program ended with {await self._process.wait()}")
        return line


@asynccontextmanager
async def backfill_load(address: str, *, keys: Sequence[str], backlog: int) -> AsyncIterator[BackfillLoad]:
    """Agents of `keys` with so many samples of backlog each, which connect when they are told to."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "keys"
        file.write_text("\n".join(keys))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.backfill", address, str(file), str(backlog)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
        )
        try:
            load = BackfillLoad(process)
            await load.ready()
            yield load
        finally:
            await end(process, within_s=STOP_WITHIN_S)

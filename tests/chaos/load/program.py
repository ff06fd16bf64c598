"""Runs the load as a program of its own, so that it shares no process with what is under test or with the checker."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.load.log import AgentLog, log_path
from tests.deployables import ROOT, end
from tests.waiting import until

STATUS_EVERY_S = 0.5
ON_THEIR_WAY_S = 1.0  # acks that come so soon after a fault may have been sent before it


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the program is told. `agents` has each server's key, `folder` gets a log per agent."""

    address: str
    agents: Mapping[str, str]
    folder: str
    ca_pem: str = ""
    interval_s: float = 1.0
    samples_per_batch: int = 1
    seed: int = 1
    backoff_cap_s: float = 120.0
    past_s: float = 0.0
    settle_s: float = 180.0


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the load stands at a moment of the monotonic clock.

    Attributes:
        measured, acked: samples since the start.
        open: agents that have a stream.
        oldest_ack_s: when the agent that has waited longest had its last ack; 0 while one never had any.
        connects: attempts to open a stream since the start.
        failures: streams that ended, or never began, without ingest having asked for it, by reason.
        fatals: streams that ingest ended by Fatal.
    """

    at_s: float
    measured: int
    acked: int
    open: int
    oldest_ack_s: float
    connects: int
    failures: Mapping[str, int]
    fatals: int

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self))


@dataclass(frozen=True, kw_only=True)
class LoggedAgent:
    """What is left of an agent whose program has ended."""

    server_id: str
    log: AgentLog


class LoadProgram:
    """The running program. `status` is what it said last."""

    def __init__(self, *, plan: Plan, process: asyncio.subprocess.Process) -> None:
        self.plan = plan
        self.process = process
        self.status = Status(at_s=0, measured=0, acked=0, open=0, oldest_ack_s=0, connects=0, failures={}, fatals=0)

    @property
    def agents(self) -> list[LoggedAgent]:
        """Its agents' logs."""
        folder = Path(self.plan.folder)
        return [LoggedAgent(server_id=one, log=AgentLog(log_path(folder, one))) for one in self.plan.agents]

    async def listen(self) -> None:
        """Take what it says until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.status = Status(**json.loads(line))

    async def all_acked_again(self, *, since_s: float, within_s: float) -> float:
        """Wait until every agent had an ack later than a fault at `since_s` (monotonic clock); the seconds from then.

        Raises TimeoutError.
        """
        later_s = since_s + ON_THEIR_WAY_S
        await until(lambda: self.status.oldest_ack_s > later_s, within_s=within_s)
        return self.status.at_s - since_s

    async def settle(self) -> None:
        """Measure nothing more, and wait until everything is acked. Raises AssertionError when that took too long."""
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(self.plan.settle_s + 10):
            code = await self.process.wait()
        assert code == 0, f"not everything was acked within {self.plan.settle_s} s: {self.status}"


@asynccontextmanager
async def load_program(plan: Plan) -> AsyncIterator[LoadProgram]:
    """The load, running while entered."""
    folder = Path(plan.folder)
    folder.mkdir(exist_ok=True)
    file = folder / "plan.json"
    file.write_text(json.dumps(dataclasses.asdict(plan)))
    with (folder / "errors").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.load", file), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    load = LoadProgram(plan=plan, process=process)
    listening = asyncio.create_task(load.listen())
    try:
        yield load
    finally:
        await end(process, within_s=1)
        await listening
        file.unlink()  # it has the keys

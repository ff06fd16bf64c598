"""What the agent costs its server: processor time per sample, and memory after ten minutes.

The agent is the real program, with an identity file of its own; it streams over TLS to an ingest in this process that
takes everything and acks it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from agent import identity
from agent.identity import Identity
from flick.v1 import telemetry_pb2
from tests.bench.cpu import process_cpu_s
from tests.bench.result import Result
from tests.deployables import ROOT, STOP_WITHIN_S, end
from tests.folders import reachable_folder
from tests.integration.agent.certificates import Authority
from tests.integration.agent.ingest import ScriptedIngest, Visit, serving, settings

PROCESSES = 100  # on the machine while it is measured
INTERVAL_S = 1  # the least that a server's settings allow
WARM_SAMPLES = 10  # the first have no rates, and meet caches that are empty
CPU_GOAL = 0.6  # of a plain psutil sweep
CPU_GOAL_MS = 5.0
RSS_AFTER_LOADS = 10  # ten minutes, where a steady load is one
RSS_GOAL_MB = 45.0
MB = 1_000_000


@dataclass
class Taken:
    """What the agent delivered: how many samples, and how many of them list processes."""

    samples: int = 0
    full: int = 0
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, visit: Visit) -> None:
        """Take one stream's batches and ack each."""
        await visit.welcome(settings=settings(interval_s=INTERVAL_S))
        while True:
            frame = await visit.next()
            if frame.WhichOneof("frame") == "metric_batch":
                self.samples += len(frame.metric_batch.samples)
                self.full += sum(map(_is_full, frame.metric_batch.samples))
                self.grown.set()
                await visit.ack(frame.metric_batch)

    async def reach(self, samples: int) -> None:
        """Wait until there are so many."""
        while self.samples < samples:
            self.grown.clear()
            await asyncio.wait_for(self.grown.wait(), timeout=30)


def _is_full(sample: telemetry_pb2.Sample) -> bool:
    return bool(sample.core and sample.labelled and sample.processes)


async def measure_cpu(seconds: float) -> list[Result]:
    """Milliseconds of processor time per sample, beside a sweep by psutil and beside the goal."""
    taken, samples = Taken(), round(seconds / INTERVAL_S)
    async with _crowd(), _agent(taken.serve) as agent:
        await taken.reach(WARM_SAMPLES)
        ours_ms, theirs_ms = await asyncio.gather(_cpu_per_sample_ms(agent, taken, samples), _sweep_ms(samples))
    return [
        Result(name="agent_cpu", value=ours_ms, ceiling=theirs_ms, unit="ms", goal=CPU_GOAL),
        Result(name="agent_cpu_ms", value=ours_ms, unit="ms", goal=CPU_GOAL_MS),
    ]


async def measure_rss(seconds: float) -> list[Result]:
    """Resident megabytes (10^6 bytes) after ten times the steady load."""
    taken = Taken()
    async with _crowd(), _agent(taken.serve) as agent:
        await taken.reach(round(RSS_AFTER_LOADS * seconds / INTERVAL_S))
        rss_mb = psutil.Process(agent.pid).memory_info().rss / MB
    return [Result(name="agent_rss", value=rss_mb, unit="MB", goal=RSS_GOAL_MB)]


async def _cpu_per_sample_ms(agent: asyncio.subprocess.Process, taken: Taken, samples: int) -> float:
    first, full, began_s = taken.samples, taken.full, process_cpu_s(agent.pid)
    await taken.reach(first + samples)
    counted = taken.samples - first
    assert taken.full - full == counted, "a sample without processes is cheaper; the figure would mean nothing"
    return (process_cpu_s(agent.pid) - began_s) / counted * 1000


async def _sweep_ms(sweeps: int) -> float:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.ceilings.psutil_sweep", str(INTERVAL_S), str(sweeps)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return float(output)


@asynccontextmanager
async def _agent(script: Callable[[Visit], Awaitable[None]]) -> AsyncIterator[asyncio.subprocess.Process]:
    """The agent, running."""
    authority = Authority()
    with reachable_folder() as folder:
        async with serving(ScriptedIngest(script), tls=authority.issue()) as address:
            path = folder / "identity.json"
            whole = Identity(server_id="bench", agent_key="flk_bench", ingest_address=address, ca_pem=authority.pem)
            identity.write(path, whole)
            process = await _start(path, folder / "agent.log")
            try:
                yield process
            finally:
                await end(process, within_s=STOP_WITHIN_S)


async def _start(path: Path, log: Path) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
    arguments = ("-m", "agent", "run", "--identity", str(path))
    with log.open("ab") as sink:
        return await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, env=inherited, stdout=sink, stderr=sink
        )


@asynccontextmanager
async def _crowd() -> AsyncIterator[None]:
    """As many idle processes as are missing to `PROCESSES`."""
    missing = max(0, PROCESSES - len(psutil.pids()))
    idle = [await asyncio.create_subprocess_exec("sleep", "infinity") for _ in range(missing)]
    try:
        yield
    finally:
        for process in idle:
            process.kill()
        await asyncio.gather(*(process.wait() for process in idle))

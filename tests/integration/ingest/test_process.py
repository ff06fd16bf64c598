"""The real program: one process or several, its health and metrics, and how it ends."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from flick.rpc.client import open_channel
from flick.v1 import ingest_pb2
from tests.bench.cpu import children
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import ScriptedAgent, batch, now_ns, sample, scripted_agent
from tests.integration.ingest.process import IngestProcess, ingest_process
from tests.waiting import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def alone(
    postgres: DatabaseServer, telemetry: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[IngestProcess]:
    """One process."""
    log = tmp_path / "ingest.log"
    async with ingest_process(postgres=postgres, database=telemetry, redis_url=redis_url, log=log) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="session")
async def several(
    postgres: DatabaseServer, telemetry: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[IngestProcess]:
    """A parent with two workers."""
    log = tmp_path / "ingest.log"
    async with ingest_process(
        "--workers", "2", postgres=postgres, database=telemetry, redis_url=redis_url, log=log
    ) as process:
        yield process


async def _store_one(process: IngestProcess) -> None:
    """Have a new agent store a sample."""
    enrolled = process.auth.enroll()

    async def stored() -> bool:
        async with scripted_agent(process.address, key=enrolled.key) as agent:
            try:
                await agent.hello()
            except grpc.aio.AioRpcError:  # it has not heard of the key yet, or is just being restarted
                return False
            await agent.send(batch(1, sample(now_ns())))
            await agent.acked(1)
            return True

    assert await eventually(stored, bool, within_s=15, every_s=0.1)


async def _metric(process: IngestProcess, name: str) -> float:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://{process.metrics}/metrics")).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def test_it_serves_health_reflection_and_metrics(alone: IngestProcess) -> None:
    await _store_one(alone)
    async with open_channel(alone.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="flick.v1.IngestService"))

    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert await _metric(alone, "flick_ingest_samples_stored_total") == 1


async def test_sigterm_drains_and_ends_well(alone: IngestProcess) -> None:
    enrolled = alone.auth.enroll()
    await _store_one(alone)
    async with scripted_agent(alone.address, key=enrolled.key) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(now_ns())))
        alone.program.process.terminate()
        await agent.acked(1)
        await _drained(agent)
        code = await asyncio.wait_for(alone.program.process.wait(), timeout=10)

    assert code == 0


async def _drained(agent: ScriptedAgent) -> None:
    if not any(one.HasField("drain") for one in agent.heard):
        await agent.expect(ingest_pb2.Drain)
    await agent.call.done_writing()
    assert await agent.ending() is None


async def test_workers_share_the_address_and_their_metrics_are_added_up(several: IngestProcess) -> None:
    for _ in range(12):  # the kernel chooses a worker by the client's port: all at one of them is unlikely
        await _store_one(several)
    workers = children(several.program.process.pid)

    async def stored() -> float:
        return await _metric(several, "flick_ingest_samples_stored_total")

    assert len(workers) == 2
    assert await eventually(stored, lambda count: count == 12, within_s=5) == 12
    assert await _metric(several, "flick_ingest_streams ") == 0


async def test_a_worker_that_dies_is_named_and_started_again(several: IngestProcess, tmp_path: Path) -> None:
    async def both() -> bool:
        return len(children(several.program.process.pid)) == 2

    assert await eventually(both, bool, within_s=10, every_s=0.1)
    first, _ = before = children(several.program.process.pid)
    os.kill(first, signal.SIGKILL)

    async def replaced() -> bool:
        now = children(several.program.process.pid)
        return len(now) == 2 and first not in now

    assert await eventually(replaced, bool, within_s=10, every_s=0.1), before
    await _store_one(several)
    deaths = [
        json.loads(line) for line in (tmp_path / "ingest.log").read_text().splitlines() if "a worker died" in line
    ]
    assert [(one["exit_code"], one["level"]) for one in deaths] == [(-signal.SIGKILL, "ERROR")]


async def test_no_worker_outlives_its_parent(several: IngestProcess) -> None:
    async def both() -> bool:
        return len(children(several.program.process.pid)) == 2

    assert await eventually(both, bool, within_s=10, every_s=0.1)
    workers = children(several.program.process.pid)
    several.program.process.kill()
    await several.program.process.wait()

    async def gone() -> bool:
        return not any(_runs(pid) for pid in workers)

    assert await eventually(gone, bool, within_s=5, every_s=0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_sigterm_ends_all_workers_well(several: IngestProcess) -> None:
    await _store_one(several)
    several.program.process.terminate()

    assert await asyncio.wait_for(several.program.process.wait(), timeout=12) == 0


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "FLICK_INGEST_DATABASE_URL is not set"),
        ({"FLICK_INGEST_WORKER": "2"}, "Did you mean FLICK_INGEST_WORKERS?"),
        ({"FLICK_INGEST_LISTEN": "0.0.0.0:0"}, "so it needs TLS"),
        ({"FLICK_INGEST_TLS_CERT_FILE": "/nowhere"}, "belong together"),
    ],
    ids=["nothing set", "misspelt", "plaintext for everybody", "half of a certificate"],
)
async def test_a_wrong_setting_is_named_with_its_fix(environment: dict[str, str], words: str) -> None:
    needed = {
        "FLICK_INGEST_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "FLICK_INGEST_SERVICE_SECRET": "secret",
        "FLICK_REDIS_URL": "redis://127.0.0.1:1/0",
        "FLICK_AUTH_ADDRESS": "127.0.0.1:1",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ingest"),
        env={**inherited, **(needed if environment else {}), **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), timeout=30)

    assert process.returncode == 1
    assert words in errors.decode()
    assert "Traceback" not in errors.decode()

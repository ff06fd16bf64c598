"""What a service tells of itself at /metrics."""

import asyncio
import sys

import httpx
import psutil
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from flick.telemetry import serve_metrics

BURN = """
import time
kept = bytearray(b'x') * 50_000_000
while time.process_time() < 0.5:
    pass
print(flush=True)
time.sleep(60)
"""
WORKER_BYTES = 50_000_000


async def scraped(address: str) -> dict[str, float]:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://{address}/metrics")).text
    return {one.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}


async def test_it_tells_what_its_registry_holds_and_what_the_process_takes() -> None:
    registry = CollectorRegistry()
    Counter("flick_things", "Things.", registry=registry).inc(3)
    async with serve_metrics(listen="127.0.0.1:0", registry=registry) as address:
        found = await scraped(address)
    own = psutil.Process()
    counted = [own, *own.children()]  # servers that other tests share may be children of this process
    cpu_s = sum(sum(one.cpu_times()[:2]) for one in counted) + sum(own.cpu_times()[2:4])

    assert found["flick_things_total"] == 3
    assert found["process_workers"] == len(counted)
    assert found["process_resident_memory_bytes"] == pytest.approx(
        sum(one.memory_info().rss for one in counted), rel=0.2
    )
    assert found["process_cpu_seconds_total"] == pytest.approx(cpu_s, rel=0.2, abs=0.5)
    assert 0 < found["process_open_fds"] <= sum(one.num_fds() for one in counted) + 10
    assert registry.get_sample_value("process_resident_memory_bytes") is None


async def test_workers_are_counted_in_also_when_they_have_ended() -> None:
    registry = CollectorRegistry()
    async with serve_metrics(listen="127.0.0.1:0", registry=registry) as address:
        before = await scraped(address)
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", BURN, stdout=asyncio.subprocess.PIPE)
        assert worker.stdout is not None
        await worker.stdout.readline()
        during = await scraped(address)
        worker.kill()
        await worker.wait()
        after = await scraped(address)

    assert during["process_workers"] == before["process_workers"] + 1
    assert during["process_resident_memory_bytes"] >= before["process_resident_memory_bytes"] + WORKER_BYTES
    assert during["process_cpu_seconds_total"] >= before["process_cpu_seconds_total"] + 0.4
    assert after["process_workers"] == before["process_workers"]
    assert after["process_cpu_seconds_total"] >= before["process_cpu_seconds_total"] + 0.4

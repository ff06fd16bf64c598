"""Whether many agents cost more than few: processor time per sample, and memory per stream."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import psutil

from flick.lifecycle import raise_file_limit
from tests.bench.ingest.server import ingest_server
from tests.bench.load.generator import generator
from tests.bench.result import Result
from tests.folders import reachable_folder
from tests.integration.agent.certificates import Authority

RATE = 1_000.0  # samples a second, one in each frame
FIRST_RATE = 200.0  # first frames a second: each brings a layout, which is stored by itself; faster ones are put off
MANY = 5_000  # agents with a sample every 5 s
FEW = 100
GOAL = 1.3
PROCESSES = 2  # of the load generator

IDLE = 2_000  # streams whose memory is measured
WARM = 200  # streams that make ingest take the memory that it takes once
RSS_GOAL_KIB = 64.0
WARM_S = 5.0


async def measure(seconds: float) -> list[Result]:
    """Microseconds per sample with 5,000 agents, over those with 100."""
    raise_file_limit()
    few, many = await _cost_us(FEW, seconds), await _cost_us(MANY, seconds)
    return [Result(name="ingest_flat", value=many, ceiling=few, unit="us", goal=GOAL)]


async def measure_rss(_seconds: float) -> list[Result]:
    """KiB per idle stream that has sent one frame, without TLS and with it."""
    raise_file_limit()
    plain = await _rss_kib({}, ca=None)
    with reachable_folder() as folder:
        authority = Authority()
        issued = authority.issue()
        certificate, key, ca = folder / "certificate.pem", folder / "key.pem", folder / "ca.pem"
        for path, text in ((certificate, issued.certificate_pem), (key, issued.key_pem), (ca, authority.pem)):
            path.write_text(text)
        files = {"FLICK_INGEST_TLS_CERT_FILE": str(certificate), "FLICK_INGEST_TLS_KEY_FILE": str(key)}
        tls = await _rss_kib(files, ca=ca)
    return [
        Result(name="stream_rss", value=plain, unit="KiB", goal=RSS_GOAL_KIB),
        Result(name="stream_rss_tls", value=tls, unit="KiB"),
    ]


async def _cost_us(streams: int, seconds: float) -> float:
    async with (
        ingest_server(streams=streams) as server,
        generator(server.address, keys=server.keys, processes=PROCESSES) as load,
    ):
        await load.run(rate=FIRST_RATE, seconds=max(WARM_S, streams / FIRST_RATE))
        stored, costs = await server.stored(), await server.costs()
        sent = await load.run(rate=RATE, seconds=seconds)
        costs = await server.costs() - costs
        stored = await server.stored() - stored
    print(f"ingest_flat, {streams} streams: {sent}\n{costs}, {stored} stored")
    assert stored == sent.samples, f"{sent} was acked, {stored} are stored"
    return costs.total / stored * 1e6


async def _rss_kib(environment: Mapping[str, str], *, ca: Path | None) -> float:
    async with (
        ingest_server(streams=WARM + IDLE, environment=environment) as server,
        generator(server.address, keys=server.keys[:WARM], ca=ca) as warm,
    ):
        await warm.run(rate=FIRST_RATE, seconds=WARM_S)
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        async with generator(server.address, keys=server.keys[WARM:], ca=ca) as load:
            await load.run(rate=FIRST_RATE, seconds=IDLE / FIRST_RATE)
            await asyncio.sleep(1.0)  # what the last commit held is given back
            return (process.memory_info().rss - before) / IDLE / 1024

"""Runs the empty gRPC handler under a load, and tells what a frame costs it."""

import secrets
from pathlib import Path

from tests.bench.cpu import process_cpu_s
from tests.bench.load.generator import generator
from tests.deployables import program
from tests.folders import reachable_folder


async def ceiling_us(*, streams: int, rate: float, warm_s: float, seconds: float) -> float:
    """Processor time per frame in microseconds, with one full sample in each."""
    with reachable_folder() as folder:
        async with program("tests.bench.ceilings.bidi", environment={}, log=Path(folder) / "ceiling.log") as running:
            keys = [secrets.token_hex(8) for _ in range(streams)]
            async with generator(running.address, keys=keys) as load:
                await load.run(rate=rate, seconds=warm_s)
                cpu_s = process_cpu_s(running.process.pid)
                sent = await load.run(rate=rate, seconds=seconds)
                cpu_s = process_cpu_s(running.process.pid) - cpu_s
    print(f"ceiling: {sent}")
    return cpu_s / sent.frames * 1e6

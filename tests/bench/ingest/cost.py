"""Processor time per committed and sealed sample, held against an empty gRPC handler under the same load.

The load is as fast as the credits of 200 streams allow, which keep at most 1,600 frames on their way. At a low fixed
rate most of a gRPC handler's time goes into waking up for every single frame: at 3,000 frames/s an empty handler takes
two to four times what it takes here, which would hide whatever ingest itself costs. This is the strictest load.

An hour later each sample is sealed. That is done at the end, by the real sealer, for all that was sent, and what it
takes for a sample is added.
"""

import math

from tests.bench.ingest.ceiling import ceiling_us
from tests.bench.ingest.server import Costs, ingest_server
from tests.bench.load.generator import generator
from tests.bench.result import Result

STREAMS = 200
RATE = math.inf  # as fast as credits allow
WARM_S = 5.0
GOAL_1 = 2.2
GOAL_5 = 1.3


async def measure_1(seconds: float) -> list[Result]:
    """One sample in each frame."""
    return await _measure("ingest_cpu_per_sample_1", seconds, samples=1, goal=GOAL_1)


async def measure_5(seconds: float) -> list[Result]:
    """Five samples in each frame, held against the same ceiling: frames of one sample."""
    return await _measure("ingest_cpu_per_sample_5", seconds, samples=5, goal=GOAL_5)


async def _measure(name: str, seconds: float, *, samples: int, goal: float) -> list[Result]:
    ceiling = await ceiling_us(streams=STREAMS, rate=RATE, warm_s=WARM_S, seconds=seconds)
    async with (
        ingest_server(streams=STREAMS) as server,
        generator(server.address, keys=server.keys, samples=samples) as load,
    ):
        await load.run(rate=RATE, seconds=WARM_S)
        stored, costs = await server.stored(), await server.costs()
        sent = await load.run(rate=RATE, seconds=seconds)
        costs = await server.costs() - costs
        stored = await server.stored() - stored
        sealing = await server.seal()
    print(f"{name}: {sent}\n{stored} stored")
    assert stored == sent.samples - sent.refused, f"{sent} was acked, {stored} are stored"
    assert not sent.refused, "a sample that is refused is cheaper; the figure would mean nothing"
    return [
        Result(
            name=name, value=costs.total / stored * 1e6 + sealing.per_sample_us, ceiling=ceiling, unit="us", goal=goal
        ),
        *_parts(name, costs, stored),
        Result(name=f"{name}.sealing", value=sealing.per_sample_us, unit="us"),
        Result(name=f"{name}.sealing.postgres", value=sealing.postgres / sealing.samples * 1e6, unit="us"),
    ]


def _parts(name: str, costs: Costs, stored: int) -> list[Result]:
    parts = {"ingest": costs.ingest, "postgres": costs.postgres, "redis": costs.redis}
    return [Result(name=f"{name}.{part}", value=cpu_s / stored * 1e6, unit="us") for part, cpu_s in parts.items()]

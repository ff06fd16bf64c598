"""`make bench`: runs every benchmark, prints the table and writes build/bench.json, goals met or not.

`python -m tests.bench NAME…` runs only those; `--seconds` is how long each steady load lasts.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tests.bench import agent, live, rest, startup, transcoding
from tests.bench.backfill import measure as backfill
from tests.bench.ingest import cost, flat
from tests.bench.result import Result, report
from tests.bench.storage import history, size
from tests.bench.years import measure as years

Measure = Callable[[float], Awaitable[list[Result]]]
"""Takes the seconds of steady load, which a benchmark without any ignores; returns its figures."""

SECONDS = 60.0  # long enough for a checkpoint of PostgreSQL to fall into most runs
BENCHMARKS: Mapping[str, Measure] = {
    "transcode_out": transcoding.measure_out,
    "transcode_in": transcoding.measure_in,
    "rest_per_second": rest.measure,
    "up_warm": startup.measure,
    "ingest_cpu_per_sample_1": cost.measure_1,
    "ingest_cpu_per_sample_5": cost.measure_5,
    "ingest_flat": flat.measure,
    "stream_rss": flat.measure_rss,
    "live_p99": live.measure,
    "bytes_per_sample": size.measure,
    "history": history.measure,
    "years": years.measure,
    "backfill": backfill.measure,
    "agent_cpu": agent.measure_cpu,
    "agent_rss": agent.measure_rss,
}


async def main(names: Sequence[str], *, seconds: float) -> None:
    """One benchmark after the other, so that none disturbs another."""
    results = [result for name in names for result in await BENCHMARKS[name](seconds)]
    print(report(results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures against the goals.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each steady load lasts")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    asyncio.run(main(arguments.names or list(BENCHMARKS), seconds=arguments.seconds))

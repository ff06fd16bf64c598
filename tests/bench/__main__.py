"""`make bench`: runs every benchmark, prints the table and writes build/bench.json, goals met or not."""

import asyncio

from tests.bench import startup, transcoding
from tests.bench.result import report


async def main() -> None:
    """One benchmark after the other, so that none disturbs another."""
    results = [result for benchmark in (transcoding, startup) for result in await benchmark.measure()]
    print(report(results))


if __name__ == "__main__":
    asyncio.run(main())

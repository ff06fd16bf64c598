"""The load generator: `python -m tests.bench.load ADDRESS KEYS --samples N`, told over its standard input what to do.

It opens one stream for each line of the file KEYS (an agent's key), on a connection of its own, and says `ready`.
Then it takes lines: `run RATE SECONDS` sends RATE frames per second over all streams, waits until each is acked, and
answers with a line of JSON; the end of the input ends it. Credits are kept as an agent keeps them.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from flick.lifecycle import raise_file_limit
from tests.bench.load.agent import LoadAgent, LoadError, Tally
from tests.bench.load.messages import contents

OPENING_AT_ONCE = 50  # handshakes


async def main(address: str, keys: Sequence[str], *, samples: int, ca_pem: bytes | None) -> None:
    """Open every stream, then obey."""
    rng = random.Random()
    agents = [LoadAgent(key=key, contents=contents(rng), samples=samples) for key in keys]
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def opened(agent: LoadAgent) -> None:
        async with gate:
            await agent.open(address, ca_pem=ca_pem)

    await asyncio.gather(*map(opened, agents))
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        _, rate, seconds = line.split()
        try:
            print(json.dumps(await _run(agents, rate=float(rate), seconds=float(seconds), rng=rng)), flush=True)
        except LoadError as error:
            sys.exit(str(error))
    for agent in agents:
        agent.cancel()


async def _run(agents: Sequence[LoadAgent], *, rate: float, seconds: float, rng: random.Random) -> dict[str, float]:
    """Send evenly, each agent with a phase of its own."""
    interval_s = len(agents) / rate
    began_s, cpu_s = time.monotonic(), time.process_time()
    tallies = await asyncio.gather(
        *(
            agent.send(interval_s=interval_s, first_s=began_s + rng.uniform(0, interval_s), until_s=began_s + seconds)
            for agent in agents
        )
    )
    total = Tally.sum(tallies)
    return {
        "frames": total.frames,
        "samples": total.samples,
        "acks": total.acks,
        "held_back": total.held_back,
        "refused": total.refused,
        "seconds": time.monotonic() - began_s,
        "cpu_s": time.process_time() - cpu_s,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load")
    parser.add_argument("address")
    parser.add_argument("keys", type=Path)
    parser.add_argument("--samples", type=int, default=1, help="in each frame")
    parser.add_argument("--ca", type=Path, help="certificate authority in PEM; without it plaintext")
    arguments = parser.parse_args()
    raise_file_limit()
    uvloop.run(
        main(
            arguments.address,
            arguments.keys.read_text().split(),
            samples=arguments.samples,
            ca_pem=arguments.ca.read_bytes() if arguments.ca else None,
        )
    )

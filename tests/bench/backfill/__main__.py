"""The agents of the backfill: `python -m tests.bench.backfill ADDRESS KEYS BACKLOG`, told by standard input what to do.

KEYS is a file with an agent's key in each line, BACKLOG how many samples each of them has measured before. It says
`ready`, then answers each line with a line of JSON: `begin` when every agent has its stream; `told` how far the
backlog is; `lags START END` with what became of all samples that were measured from one moment until before another
(nanoseconds since the Unix epoch), when the last of them is acked; `end` with each agent's counts, when all have
ended. Where a stream breaks it ends by itself.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from flick.lifecycle import raise_file_limit
from tests.bench.backfill.agent import BacklogAgent, agents
from tests.bench.backfill.deliveries import Deliveries
from tests.bench.backfill.past import hour_of_contents

HOURS = 8  # of different servers, shared by all of the agents
LOOK_EVERY_S = 0.05


class Obedient:
    """Does what it is told."""

    def __init__(self, *, playing: Sequence[BacklogAgent], deliveries: Deliveries, tasks: asyncio.TaskGroup) -> None:
        self._playing = playing
        self._deliveries = deliveries
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []

    async def obey(self, command: str, *arguments: str) -> object:
        """Do it; the answer."""
        match command:
            case "begin":
                self._running = [self._tasks.create_task(agent.run()) for agent in self._playing]
                while not all(agent.welcomed for agent in self._playing):
                    await asyncio.sleep(LOOK_EVERY_S)
                return {}
            case "told":
                return {"backlog_acked": self._deliveries.backlog_acked, "cpu_s": time.process_time()}
            case "end":
                return await self._end()
            case "lags":
                return await self._lags(*map(int, arguments))
        raise ValueError(f"nobody knows how to {command}")

    async def _end(self) -> object:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        counts = [agent.spool.counts for agent in self._playing]
        return {"taken": [one.taken for one in counts], "acked": [one.acked for one in counts]}

    async def _lags(self, start_ns: int, end_ns: int) -> object:
        while not self._deliveries.complete(until_ns=end_ns):
            await asyncio.sleep(LOOK_EVERY_S)
        found = self._deliveries.within(start_ns, end_ns)
        return {
            "lag_ms": [round(one.lag_s * 1e3) for one in found],
            "ack_ms": [round((one.lag_s - one.held_back_s) * 1e3, 1) for one in found],
        }


async def main(address: str, *, keys: Sequence[str], backlog: int) -> None:
    """Play every agent until this program is ended, or a stream breaks."""
    deliveries = Deliveries()
    hours = [hour_of_contents(random.Random(number)) for number in range(HOURS)]
    playing = agents(address=address, keys=keys, backlog=backlog, hours=hours, deliveries=deliveries)
    print("ready", flush=True)
    told = asyncio.StreamReader()  # and no thread that reads: it would outlive an agent whose stream breaks
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    async with asyncio.TaskGroup() as tasks:
        obedient = Obedient(playing=playing, deliveries=deliveries, tasks=tasks)
        while line := await told.readline():
            print(json.dumps(await obedient.obey(*line.decode().split())), flush=True)


if __name__ == "__main__":
    raise_file_limit()
    uvloop.run(main(sys.argv[1], keys=Path(sys.argv[2]).read_text().split(), backlog=int(sys.argv[3])))

"""How long `flick up` takes on a machine that has fetched everything and holds data already."""

import statistics
import time

from tests.bench.result import Result
from tests.e2e.installation import flick_up
from tests.folders import reachable_folder

RUNS = 3
GOAL_S = 10.0


async def measure(_seconds: float) -> list[Result]:
    """Seconds from the command to its `ready`, median of the runs after a first one that makes the data."""
    taken = []
    with reachable_folder() as folder:
        for _ in range(RUNS + 1):
            began = time.perf_counter()
            async with flick_up(data_dir=folder / "data") as installation:
                taken.append(time.perf_counter() - began)
                await installation.stop()
    return [Result(name="up_warm", value=statistics.median(taken[1:]), unit="s", goal=GOAL_S)]

"""A launcher with toy parts, for tests that kill it: prints one JSON line when all run, then waits for its end."""

import asyncio
import json
import random
import sys
from pathlib import Path

from deploy.local.machine.account import database_account
from deploy.local.supervision.part import Part
from deploy.local.supervision.supervisor import Supervisor
from flick.clock import SystemClock
from flick.lifecycle import stop_requested

# Ignores the polite signals, and starts a child of its own in the same group.
STUBBORN = """
import signal, subprocess, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
time.sleep(600)
"""


async def main(folder: Path) -> None:
    """Run the toy parts: one that ends when asked, one that never does, one with dropped privileges."""
    parts = [
        Part(name="polite", command=["sleep", "600"], environment={"PATH": "/usr/bin:/bin"}),
        Part(name="stubborn", command=[sys.executable, "-c", STUBBORN], environment={}, stop_within_s=0.5),
        Part(
            name="dropped",
            command=["sleep", "600"],
            environment={"PATH": "/usr/bin:/bin"},
            account=database_account(),
        ),
    ]
    supervisor = Supervisor(
        logs=folder / "logs", report=lambda _report: None, clock=SystemClock(), randomness=random.Random(1)
    )
    async with stop_requested() as stop, supervisor:
        for part in parts:
            await supervisor.start(part)
        print(json.dumps(supervisor.pids()), flush=True)  # noqa: T201 - the test reads it
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

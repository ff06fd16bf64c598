"""The load as a program of its own: `python -m tests.chaos.load PLAN.json`.

It writes a line of JSON every half second, and ends by SIGTERM: then nothing more is measured, and it waits until
everything is acked. The plan has the fields of `Plan`.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

import uvloop

from flick.lifecycle import stop_requested
from tests.chaos.load.agent import LoadAgent, under_load
from tests.chaos.load.log import AgentLog, log_path
from tests.chaos.load.program import STATUS_EVERY_S, Plan, Status


async def _run(plan: Plan) -> int:
    rng = random.Random(plan.seed)
    agents = [
        LoadAgent(
            address=plan.address,
            key=key,
            server_id=server_id,
            ca_pem=plan.ca_pem.encode() or None,
            interval_s=plan.interval_s,
            samples_per_batch=plan.samples_per_batch,
            rng=random.Random(rng.random()),
            log=AgentLog(log_path(Path(plan.folder), server_id)),
            backoff_cap_s=plan.backoff_cap_s,
            past_s=plan.past_s,
        )
        for server_id, key in plan.agents.items()
    ]
    telling = asyncio.create_task(_tell(agents))
    try:
        async with stop_requested() as stop, under_load(agents, settle_s=plan.settle_s):
            await stop.wait()
    except TimeoutError:
        return 1  # the checker names what is not acked
    finally:
        telling.cancel()
        _say(_status(agents))
    return 0


async def _tell(agents: list[LoadAgent]) -> None:
    while True:
        _say(_status(agents))
        await asyncio.sleep(STATUS_EVERY_S)


def _status(agents: list[LoadAgent]) -> Status:
    return Status(
        at_s=time.monotonic(),
        measured=sum(agent.measured_total for agent in agents),
        acked=sum(agent.acked_total for agent in agents),
        open=sum(agent.open for agent in agents),
        oldest_ack_s=min(agent.acked_at_s for agent in agents),
        connects=sum(agent.connects for agent in agents),
        failures=dict(sum((agent.failures for agent in agents), Counter[str]())),
        fatals=sum(agent.fatals for agent in agents),
    )


def _say(status: Status) -> None:
    sys.stdout.write(status.to_json() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(uvloop.run(_run(Plan(**json.loads(Path(sys.argv[1]).read_text())))))

"""Agents that move between two servers which keep nothing."""

import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from tests.chaos.house.crowd import tls_settings
from tests.chaos.house.instances import Instances, two_instances
from tests.chaos.load.program import LoadProgram, Plan, load_program
from tests.integration.agent.certificates import Authority
from tests.network.proxy import FaultProxy, Link


@dataclass(frozen=True, kw_only=True)
class BareStreams:
    """The servers, and the agents, which come by a proxy."""

    servers: Instances
    load: LoadProgram
    folder: Path

    async def gaps_s(self) -> list[float]:
        """End it all; the seconds between every two arrivals of an agent's frames, the shortest first."""
        await self.load.settle()
        await self.servers.end()
        arrivals: defaultdict[str, list[float]] = defaultdict(list)
        for path in self.folder.glob("arrivals-*.json"):
            for agent, moments_s in json.loads(path.read_text()).items():
                arrivals[agent] += moments_s
        return sorted(
            after - before for moments_s in arrivals.values() for before, after in pairwise(sorted(moments_s))
        )


@asynccontextmanager
async def bare_streams(
    plan: Plan, *, authority: Authority, folder: Path, rng: random.Random
) -> AsyncIterator[BareStreams]:
    """Streams as of the plan's agents, running while entered. `folder` is empty."""
    folder.mkdir()
    files = tls_settings(authority, folder)
    command = ("tests.chaos.bare.server", *files.values(), str(folder / "arrivals"))
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(two_instances(*command, environment={}, log=folder / "bare", rng=rng))
        proxy = FaultProxy(targets=servers.any_address, link=Link(), rng=rng)
        address = await stack.enter_async_context(proxy.serving())
        alike = replace(plan, address=address, folder=str(folder / "load"))
        load = await stack.enter_async_context(load_program(alike))
        await load.all_acked_again(since_s=0.0, within_s=60)
        yield BareStreams(servers=servers, load=load, folder=folder)

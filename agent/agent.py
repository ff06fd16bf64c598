"""The running agent: sampler, spool and uplink put together."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

from agent.budget.budget import Budget
from agent.budget.cpu import CPU_SHARE, CpuBudget
from agent.budget.memory import MEMORY_BYTES, MemoryBudget
from agent.budget.resident import resident_bytes
from agent.collection import Collection, Workers, every_collector
from agent.collectors.custom.folder import CustomFolder
from agent.collectors.custom.settings import CustomSettings
from agent.host import KnownHost
from agent.identity import Identity
from agent.sampler.orders import Orders, Wanted
from agent.sampler.sampler import Sampler
from agent.sampler.timeline import Timeline, this_boot
from agent.spool.disk.fallback import FallbackSpool
from agent.spool.limits import SpoolLimits, limits_in_memory
from agent.uplink.uplink import Uplink
from flick.backoff import Backoff
from flick.clock import Clock
from flick.v1 import servers_pb2

FLUSH_S = 3.0  # an ack takes milliseconds; who stops the agent waits for longer, and what is not acked stays here


async def run_agent(
    *,
    identity: Identity,
    clock: Clock,
    rng: random.Random,
    host: Callable[[], servers_pb2.Host],
    version: str,
    spool_path: Path,
    spool_limits: SpoolLimits,
    stop: asyncio.Event,
    cpu_share: float = CPU_SHARE,
    memory_bytes: int = MEMORY_BYTES,
    custom: CustomSettings | None = None,
    flush_s: float = FLUSH_S,
) -> None:
    """Measure and stream until `stop` is set; then give what waits `flush_s` seconds to be acked.

    Measuring takes at most `cpu_share` of a processor, and the agent `memory_bytes` of memory; collectors go without
    rather than that it takes more. `custom` says where metrics of people's own come from; None: nowhere.

    The spool in the file `spool_path` keeps the rest for the next time.
    """
    workers = Workers(
        budget=Budget(
            cpu=CpuBudget(share=cpu_share),
            memory=MemoryBudget(most_bytes=memory_bytes),
            resident_bytes=resident_bytes,
        ),
        custom=CustomFolder(settings=custom) if custom else None,
    )

    def open_collection(wanted: Wanted) -> Collection:
        make = partial(every_collector, processes=wanted.processes, commands=wanted.commands, workers=workers)
        return Collection(collectors=make(), budget=workers.budget, anew=make)

    in_memory = limits_in_memory(memory_bytes)
    with FallbackSpool(path=spool_path, limits=spool_limits, clock=clock, in_memory=in_memory) as spool:
        timeline = Timeline(clock=clock, boot_id=this_boot(), mark=spool.mark, last_ns=spool.last_ns)
        spool.begin(timeline.mark)
        orders = Orders(known=spool.settings, keep=spool.keep_settings)
        uplink = Uplink(
            identity=identity,
            spool=spool,
            orders=orders,
            timeline=timeline,
            clock=clock,
            backoff=Backoff(rng=rng, base_s=1.0, factor=1.6, cap_s=120.0),
            host=KnownHost(ask=host, worker=workers.filesystem).now,
            version=version,
            failing=lambda: sampler.failing,
        )
        sampler = Sampler(
            clock=clock,
            timeline=timeline,
            orders=orders,
            spool=spool,
            open_collection=open_collection,
            on_stored=uplink.wake,
            on_live=uplink.show,
        )
        async with asyncio.TaskGroup() as tasks:
            sampling = tasks.create_task(sampler.run())
            streaming = tasks.create_task(uplink.run())
            await stop.wait()
            sampling.cancel()
            uplink.stop()
            await asyncio.wait([streaming], timeout=flush_s)
            streaming.cancel()

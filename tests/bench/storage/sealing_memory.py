"""How much memory it takes to seal hours: `python -m tests.bench.storage.sealing_memory [usual|series|processes] …`.

Hours of one server with a sample every second, sealed one after the other by the real sealer in a process of its own.
Told are its memory before, the high-water mark within each hour's sealing, and what is left afterwards.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry

from deploy.local.machine.account import database_account
from flick.db.pool import connect, open_pool
from services.ingest.aside import Aside
from services.ingest.metrics import IngestMetrics
from services.ingest.rollups.store import RollupStore
from services.ingest.sealing.sealer import Sealer
from services.ingest.sealing.store import SealStore
from tests.integration.ingest.schema import telemetry_template
from tests.integration.ingest.sealing.conftest import SetClock
from tests.integration.ingest.sealing.hours import BEGINNING_NS, HOUR_NS, SECOND_NS, Writer, sample
from tests.servers import postgres_server

HOURS = 4
SAMPLES = 3600
AT_ONCE = 100
MIB = 2**20
_HIGH_WATER_FROM_NOW = "5"  # proc(5), clear_refs


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a sample has."""

    labelled: int
    processes: int


SHAPES: Mapping[str, Shape] = {
    "usual": Shape(labelled=40, processes=10),
    "series": Shape(labelled=2000, processes=10),  # as many as are allowed
    "processes": Shape(labelled=40, processes=200),  # likewise
}


async def fill(writer: Writer, hour: int, shape: Shape) -> None:
    """Store an hour."""
    rng, start_ns = random.Random(hour), BEGINNING_NS + hour * HOUR_NS
    for first in range(0, SAMPLES, AT_ONCE):
        found = [
            sample(start_ns + number * SECOND_NS, rng=rng, labelled=shape.labelled, processes=shape.processes)
            for number in range(first, first + AT_ONCE)
        ]
        await writer.write(found, received_ns=start_ns + HOUR_NS)


async def seal(url: str) -> None:
    """Seal hour after hour, and tell of this process's memory."""
    connection = await connect(url, application_name="bench", statement_timeout_s=60.0)
    registry, clock = CollectorRegistry(), SetClock(BEGINNING_NS)
    sealer = Sealer(
        store=SealStore(),
        rollups=RollupStore(),
        aside=Aside(),
        after_s=0.0,
        metrics=IngestMetrics(registry=registry),
        clock=clock,
    )
    before_mib = _memory_mib()["VmRSS"]
    for hour in range(HOURS):
        clock.now_ns = BEGINNING_NS + (hour + 1) * HOUR_NS + SECOND_NS
        Path("/proc/self/clear_refs").write_text(_HIGH_WATER_FROM_NOW)
        began_s = time.process_time()
        await sealer.work(connection)
        took_s, memory = time.process_time() - began_s, _memory_mib()
        sealed = registry.get_sample_value("flick_ingest_sealed_samples_total")
        assert sealed == (hour + 1) * SAMPLES, f"{sealed} samples are sealed"
        sys.stdout.write(
            f"  hour {hour + 1}: {before_mib:.1f} MiB before all, {memory['VmHWM'] - before_mib:+.1f} at its peak,"
            f" {memory['VmRSS'] - before_mib:+.1f} afterwards; {took_s / SAMPLES * 1e6:.0f} us of processor a sample\n"
        )
        sys.stdout.flush()
    await connection.close()


def _memory_mib() -> dict[str, float]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        name: int(rest.split()[0]) / 1024 for name, _, rest in (one.partition(":") for one in lines) if "kB" in rest
    }


async def measure(name: str) -> None:
    """Fill a database, and have another process seal it."""
    async with AsyncExitStack() as stack:
        postgres, _ = await stack.enter_async_context(postgres_server(database_account()))
        template = await telemetry_template(postgres)
        database = await stack.enter_async_context(postgres.database(template=template))
        url = postgres.url(database=database, role="flick_ingest")
        async with open_pool(url, application_name="bench") as pool:
            writer = Writer(pool=pool)
            for hour in range(HOURS):
                await fill(writer, hour, SHAPES[name])
        print(f"{name}: {SHAPES[name]}", flush=True)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.storage.sealing_memory", "--seal", url
        )
        assert await child.wait() == 0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shapes", nargs="*", default=list(SHAPES))
    parser.add_argument("--seal", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.seal:
        asyncio.run(seal(arguments.seal))
        return
    for name in arguments.shapes:
        asyncio.run(measure(name))
    print(f"machine: load {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} processors")


if __name__ == "__main__":
    main()

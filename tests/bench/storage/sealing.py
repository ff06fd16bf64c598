"""What an hour of samples takes as blocks, and costs to move there: `python -m tests.bench.storage.sealing`.

Decision record 0007 has the tables. First columns and snapshots by several compressors, then the real sealer.
"""

import asyncio
import random
import struct
import time
import uuid
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import asyncpg
import zstandard

from deploy.local.machine.account import database_account
from flick.clock import SystemClock
from flick.db.pool import connect, open_pool
from flick.v1 import telemetry_pb2
from services.ingest.intake.layouts import StoredLayout
from services.ingest.intake.overflows import Overflows
from services.ingest.intake.rejections import Rejections
from services.ingest.intake.samples import Context, Owner, Row, to_rows
from services.ingest.ledger.outcomes import Outcomes
from services.ingest.store import Store
from tests.bench.ingest.sealing import seal_everything
from tests.bench.storage.day import INTERVAL_S, LAYOUT_ID, Host
from tests.integration.ingest.schema import telemetry_template
from tests.servers import postgres_server

HOUR_SAMPLES = 3600 // INTERVAL_S
HOURS = 12
SERVERS = 20
ROWS_PER_COMMIT = 200

_HOUR_NS = 3600 * 10**9
_COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    **{f"zlib {level}": lambda data, level=level: zlib.compress(data, level) for level in (1, 6)},  # type: ignore[misc]
    **{f"zstandard {level}": zstandard.ZstdCompressor(level=level).compress for level in (-1, 1, 3, 6, 9)},
}


def compare() -> None:
    """Bytes and microseconds per sample of each part, by compressor."""
    sizes: Counter[tuple[str, str]] = Counter()
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    host = Host(rng=random.Random(0), start_time_ns=_past_hour_ns())
    for _ in range(HOURS):
        for part, pieces in _parts(list(host.samples(HOUR_SAMPLES))).items():
            for name, compress in _COMPRESSORS.items():
                began_s = time.process_time()
                sizes[name, part] += sum(len(compress(piece)) for piece in pieces)
                seconds[name, part] += time.process_time() - began_s
    count = HOURS * HOUR_SAMPLES
    for name in _COMPRESSORS:
        figures = [
            f"{part} {sizes[name, part] / count:6.1f} B {seconds[name, part] / count * 1e6:5.2f} us"
            for part in ("core", "labelled", "processes")
        ]
        print(f"{name:12}", *figures, sep="   ")


def _parts(samples: Sequence[telemetry_pb2.Sample]) -> dict[str, list[bytes]]:
    """What is compressed of an hour: columns as planes, and all snapshots together."""
    core = zip(*(one.core for one in samples), strict=True)
    labelled = zip(*(one.labelled for one in samples), strict=True)
    return {
        "core": [_planes(struct.pack(f">{len(samples)}d", *column), 8) for column in core],
        "labelled": [_planes(struct.pack(f">{len(samples)}f", *column), 4) for column in labelled],
        "processes": [b"".join(one.processes for one in samples)],
    }


def _planes(numbers: bytes, width: int) -> bytes:
    return b"".join(numbers[place::width] for place in range(width))


async def move() -> None:
    """Microseconds per sample of the sealer and of PostgreSQL, for hours of many servers whose rows lie mixed."""
    async with postgres_server(database_account()) as (postgres, postgres_pid):
        template = await telemetry_template(postgres)
        async with postgres.database(template=template) as database:
            url = postgres.url(database=database, role="flick_ingest")
            async with open_pool(url, application_name="bench") as pool:
                store = Store(pool=pool, clock=SystemClock())
                for rows in _commits():
                    await store.write(rows, [], Outcomes())
            ingest = await connect(url, application_name="bench")
            admin = await asyncpg.connect(postgres.admin_url(database=database))
            costs = await seal_everything(ingest=ingest, admin=admin, postgres_pid=postgres_pid)
            block_bytes = await admin.fetchval(
                "select (select sum(pg_column_size(one.*)) from telemetry.sealed_metrics as one)"
                " + (select sum(pg_column_size(one.*)) from telemetry.sealed_processes as one)"
            )
            await ingest.close()
            await admin.close()
    print(
        f"{costs.samples} samples sealed: {costs.per_sample_us:.1f} us each, of which"
        f" PostgreSQL {costs.postgres / costs.samples * 1e6:.1f};"
        f" {block_bytes / costs.samples:.0f} B each"
    )


def _commits() -> Iterator[Sequence[Row]]:
    """Rows of an hour of all servers, as many as are written at once."""
    start_ns = _past_hour_ns()
    hosts = [Host(rng=random.Random(seed), start_time_ns=start_ns - INTERVAL_S * 10**9) for seed in range(SERVERS)]
    contexts = [_context() for _ in hosts]
    streams = [host.samples(HOUR_SAMPLES) for host in hosts]
    for _ in range(HOUR_SAMPLES):
        yield [
            row
            for context, samples in zip(contexts, streams, strict=True)
            for row in to_rows(
                [next(samples)],
                context=context,
                now_ns=time.time_ns(),
                rejections=Rejections(),
                overflows=Overflows(),
            )
        ]


def _context() -> Context:
    stored = StoredLayout(layout_id=LAYOUT_ID, series_count=40, kept_count=40)
    return Context(
        owner=Owner(uuid.uuid4(), uuid.uuid4()),
        retention_days=30,
        processes_enabled=True,
        process_commands_enabled=True,
        layout=lambda _: stored,
    )


def _past_hour_ns() -> int:
    return (time.time_ns() // _HOUR_NS - 3) * _HOUR_NS


if __name__ == "__main__":
    compare()
    asyncio.run(move())

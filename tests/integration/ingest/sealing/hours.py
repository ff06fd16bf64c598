"""Past hours of servers as ingest would have stored them, and everything that is stored, in rows and in blocks."""

import math
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from flick import columns
from flick.blobs import unpack_blobs
from flick.clock import SystemClock
from flick.db.pool import Connection, Pool
from flick.v1 import telemetry_pb2
from services.ingest.intake.layouts import StoredLayout
from services.ingest.intake.overflows import Overflows
from services.ingest.intake.rejections import Rejections
from services.ingest.intake.samples import CORE_COUNT, Context, Owner, Row, to_rows
from services.ingest.ledger.outcomes import Outcomes
from services.ingest.store import Store, Written
from tests.packed import read_core, read_labelled

HOUR_NS = 3600 * 10**9
SECOND_NS = 10**9
BEGINNING_NS = 1_790_006_400 * 10**9  # the beginning of an hour in the past of the tests' clocks

Moment: TypeAlias = tuple[uuid.UUID, int]
"""A server, and microseconds since the Unix epoch."""
Servers: TypeAlias = Sequence[uuid.UUID] | None

_ALL = "select * from telemetry.{} where $1::uuid[] is null or server_id = any($1)"


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes samples by the real store, as if they had just come; `retention_days` is long enough for any of them."""

    pool: Pool
    owner: Owner = field(default_factory=lambda: Owner(uuid.uuid4(), uuid.uuid4()))

    async def write(self, samples: Sequence[telemetry_pb2.Sample], *, received_ns: int) -> Written:
        """Store samples whose layouts are numbered as they are to be stored."""
        copies = []
        for one in samples:
            copy = telemetry_pb2.Sample()
            copy.CopyFrom(one)
            copies.append(copy)
        store = Store(pool=self.pool, clock=SystemClock())
        return await store.write(self._rows(copies, received_ns), [], Outcomes())

    def _rows(self, samples: Sequence[telemetry_pb2.Sample], received_ns: int) -> list[Row]:
        series = {one.layout_id: len(one.labelled) for one in samples}
        context = Context(
            owner=self.owner,
            retention_days=100_000,
            processes_enabled=True,
            process_commands_enabled=True,
            layout=lambda number: StoredLayout(
                layout_id=number, series_count=series[number], kept_count=series[number]
            ),
        )
        rejections = Rejections()
        rows = to_rows(samples, context=context, now_ns=received_ns, rejections=rejections, overflows=Overflows())
        assert not rejections.counts
        return rows


def sample(
    time_ns: int,
    *,
    rng: random.Random,
    layout_id: int = 1,
    labelled: int = 5,
    missing: bool = False,
    processes: int = 2,
) -> telemetry_pb2.Sample:
    """A sample of random values; `missing`: as a first one, of which some values were not measured."""
    core = [rng.uniform(-1e12, 1e12) for _ in range(CORE_COUNT)]
    values = [rng.uniform(-1e6, 1e6) for _ in range(labelled)]
    if missing:
        core = core[:20]
        core[3] = math.nan
        values[:1] = [math.nan] * len(values[:1])
    snapshot = telemetry_pb2.ProcessSnapshot(
        processes=[
            telemetry_pb2.Process(pid=number, name="worker", command="/usr/bin/worker", cpu_utilization=rng.random())
            for number in range(1, processes + 1)
        ]
    )
    return telemetry_pb2.Sample(
        time_unix_nano=time_ns,
        core=core,
        layout_id=layout_id,
        labelled=values if layout_id else [],
        processes=snapshot.SerializeToString() if processes else b"",
    )


def samples(
    count: int, *, seed: int = 0, start_ns: int = BEGINNING_NS, step_ns: int = 5 * SECOND_NS, **more: Any
) -> list[telemetry_pb2.Sample]:
    """Samples one after the other, the first of them without some values."""
    rng = random.Random(seed)
    return [sample(start_ns + number * step_ns, rng=rng, missing=number == 0, **more) for number in range(count)]


async def in_rows(connection: Connection, *, servers: Servers = None) -> dict[Moment, Any]:
    """Everything that lies in rows, of some servers or all."""
    found: dict[Moment, Any] = {}
    snapshots = {
        (row["server_id"], _us(row["time"])): (row["organization_id"], row["snapshot"])
        for row in await connection.fetch(_ALL.format("processes"), servers)
    }
    for row in await connection.fetch(_ALL.format("metrics"), servers):
        moment = row["server_id"], _us(row["time"])
        assert moment not in found, "a row is there twice"
        labelled = read_labelled(row["labelled"])
        found[moment] = (
            row["organization_id"],
            _us(row["received_at"]),
            tuple(read_core(row["core"], count=CORE_COUNT)),
            row["layout_id"] or 0,
            None if labelled is None else tuple(labelled),
            snapshots.pop(moment, None),
        )
    assert not snapshots, "snapshots without their samples"
    return found


async def in_blocks(connection: Connection, *, servers: Servers = None) -> dict[Moment, Any]:
    """Everything that lies in blocks, in the same form."""
    found: dict[Moment, Any] = {}
    snapshots: dict[Moment, Any] = {}
    for block in await connection.fetch(_ALL.format("sealed_processes"), servers):
        moments = _moments(block)
        packed = unpack_blobs(block["snapshots"])
        for moment, one in zip(moments, packed, strict=True):
            assert (block["server_id"], moment) not in snapshots, "a snapshot is there twice"
            snapshots[block["server_id"], moment] = (block["organization_id"], one)
    for block in await connection.fetch(_ALL.format("sealed_metrics"), servers):
        (lags,) = columns.unpack(block["lags"])
        core = columns.unpack(block["core"])
        unknown = [None] * (CORE_COUNT - len(core))
        labelled = columns.unpack(block["labelled"]) if block["layout_id"] else []
        for number, moment in enumerate(_moments(block)):
            key = block["server_id"], moment
            assert key not in found, "a sample is there twice"
            found[key] = (
                block["organization_id"],
                moment + lags[number],
                (*(_plain(column[number]) for column in core), *unknown),
                block["layout_id"],
                tuple(_plain(column[number]) for column in labelled) if block["layout_id"] else None,
                snapshots.pop(key, None),
            )
    assert not snapshots, "snapshots without their samples"
    return found


async def everything(connection: Connection, *, servers: Servers = None) -> Mapping[Moment, Any]:
    """All that is stored, as one moment of the database shows it. A row that is in a block as well must be like it."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await in_rows(connection, servers=servers)
        blocks = await in_blocks(connection, servers=servers)
    assert {one: rows[one] for one in rows.keys() & blocks.keys()} == {one: blocks[one] for one in rows.keys() & blocks}
    return rows | blocks


async def chunks(connection: Connection) -> int:
    """How many chunks of rows there are."""
    count = await connection.fetchval(
        "select count(*) from timescaledb_information.chunks"
        " where hypertable_schema = 'telemetry' and hypertable_name in ('metrics', 'processes')"
    )
    return int(count)


def _moments(block: Any) -> Sequence[int]:
    """The times of a block, which must be what its row says of them."""
    (times,) = columns.unpack(block["times"])
    assert list(times) == sorted(set(times))
    assert (_us(block["first_time"]), _us(block["last_time"]), block["count"]) == (times[0], times[-1], len(times))
    assert {(moment - _us(block["hour"])) // (HOUR_NS // 1000) for moment in times} == {0}
    return times


def _us(moment: datetime) -> int:
    passed = moment - datetime.fromtimestamp(0, tz=UTC)
    return (passed.days * 86_400 + passed.seconds) * 10**6 + passed.microseconds


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value

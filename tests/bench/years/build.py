"""Builds the set: the product's tables in the form in which ingest leaves them, and plain ones of the same values."""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import numpy as np

from flick.db.pool import Connection
from flick.ids import new_id
from flick.v1 import telemetry_pb2
from services.ingest import arrays
from services.ingest.rollups.blocks import Rollup, RollupBlock, pack, to_datetime
from services.ingest.rollups.buckets import DAY_US, Buckets
from services.ingest.rollups.levels import HOURS, MINUTES, Level
from tests.bench.storage.day import Host, layout
from tests.bench.years.measured import (
    CORE_NAMES,
    DISK_USED,
    HOUR_US,
    MEASURED,
    PLAIN,
    Floats,
    Hour,
    buckets_of,
    hour_of,
)
from tests.bench.years.size import Size
from tests.bench.years.tuples import copy, encode, moments, uuids
from tests.integration.query.rows import ORGANIZATION
from tests.integration.query.telemetry import store_layout

TABLES = """
create schema plain;
create table plain.disk_used (server_id uuid not null, time timestamptz not null, value float8);
create table plain.hours (server_id uuid not null, time timestamptz not null, {columns});
create table plain.processes (server_id uuid not null, time timestamptz not null, snapshot bytea not null);
create table plain.latest (server_id uuid primary key, time timestamptz not null);
"""
INDEXES = """
create unique index on plain.disk_used (server_id, time) include (value);
create unique index on plain.hours (server_id, time) include ({names});
create unique index on plain.processes (server_id, time);
vacuum (analyze) plain.disk_used;
vacuum (analyze) plain.hours;
vacuum (analyze) plain.processes;
vacuum (analyze) plain.latest;
"""
SIDES = ("low", "average", "high")
SNAPSHOTS = 64  # different ones
ROLLED_AT_ONCE = 200

_NUMBERS = sorted(CORE_NAMES)


@dataclass(frozen=True, kw_only=True)
class BenchSet:
    """What was built. Times in microseconds.

    Attributes:
        server_ids: those of servers; the first ones have rollups.
        rows_us: where rows begin; sealed hours are before, and rollups before those, in whole days.
        now_us: the end of all samples.
        sealed_us: where sealed hours begin.
        rolled_us: where rollups end.
    """

    size: Size
    server_ids: Sequence[uuid.UUID]
    sealed_us: int
    rows_us: int
    now_us: int
    rolled_us: int


def plan(size: Size, *, now_us: int, server_ids: Sequence[uuid.UUID]) -> BenchSet:
    """The set that ends with the last whole hour before `now_us`."""
    end_us = now_us // HOUR_US * HOUR_US
    rows_us = end_us - size.row_hours * HOUR_US
    sealed_us = rows_us - size.sealed_hours * HOUR_US
    return BenchSet(
        size=size,
        server_ids=server_ids,
        sealed_us=sealed_us,
        rows_us=rows_us,
        now_us=end_us,
        rolled_us=sealed_us // DAY_US * DAY_US,
    )


async def build(owner: Connection, planned: BenchSet) -> None:
    """Write everything."""
    names = [f"{side}_{number}" for number in range(1, len(PLAIN) + 1) for side in SIDES]
    await owner.execute(TABLES.format(columns=", ".join(f"{name} float8" for name in names)))
    layout_ids = [
        await store_layout(owner, str(one), telemetry_pb2.Layout(series=layout().series)) for one in planned.server_ids
    ]
    for hour_us in range(planned.sealed_us, planned.now_us, HOUR_US):
        hours = [hour_of(server, hour_us) for server in range(planned.size.servers)]
        if hour_us < planned.rows_us:
            await _seal(owner, planned, layout_ids, hour_us, hours)
        else:
            await _insert(owner, planned, layout_ids, hours)
        await _plain_samples(owner, planned, hours)
    await _processes(owner, planned)
    await _roll_up(owner, planned, layout_ids, names)
    for statement in INDEXES.format(names=", ".join(names)).split(";\n"):
        if statement.strip():
            await owner.execute(statement)
    for table in ("metrics", "processes", "sealed_metrics", "rollups_1m", "rollups_1h", "rollups_due"):
        await owner.execute(f"vacuum (analyze) telemetry.{table}")


async def _seal(
    owner: Connection, planned: BenchSet, layout_ids: Sequence[int], hour_us: int, hours: Sequence[Hour]
) -> None:
    """An hour of all servers in blocks, which are not rolled up."""
    hour = to_datetime(hour_us)
    rows = []
    for server_id, layout_id, one in zip(planned.server_ids, layout_ids, hours, strict=True):
        times = one.times_us
        rows.append(
            (
                server_id,
                ORGANIZATION,
                hour,
                to_datetime(int(times[0])),
                to_datetime(int(times[-1])),
                len(times),
                layout_id,
                arrays.pack("q", times[np.newaxis]),
                arrays.pack("q", np.full((1, len(times)), 500_000)),
                arrays.pack("d", _all_core(one.core)),
                arrays.pack("f", one.labelled),
            )
        )
    names = [
        "server_id",
        "organization_id",
        "hour",
        "first_time",
        "last_time",
        "count",
        "layout_id",
        "times",
        "lags",
        "core",
        "labelled",
    ]
    await owner.copy_records_to_table("sealed_metrics", schema_name="telemetry", columns=names, records=rows)
    await owner.copy_records_to_table(
        "rollups_due",
        schema_name="telemetry",
        columns=["server_id", "hour", "has_minutes"],
        records=[(server_id, hour, False) for server_id in planned.server_ids],
    )


async def _insert(owner: Connection, planned: BenchSet, layout_ids: Sequence[int], hours: Sequence[Hour]) -> None:
    """Hours of all servers in rows, in the order of time."""
    names = ["time", "server_id", "organization_id", "received_at", "layout_id", "core", "labelled"]

    def parts() -> Iterator[bytes]:
        servers = uuids([one.bytes for one in planned.server_ids])
        count = len(servers)
        for sample in range(len(hours[0].times_us)):
            times = moments(np.array([one.times_us[sample] for one in hours]))
            yield encode(
                [
                    ("time", "timestamptz", times),
                    ("server_id", "uuid", servers),
                    ("organization_id", "uuid", uuids([ORGANIZATION.bytes] * count)),
                    ("received_at", "timestamptz", times + 500_000),
                    ("layout_id", "integer", np.array(layout_ids)),
                    ("core", "d", np.array([one.core[:MEASURED, sample] for one in hours])),
                    ("labelled", "f", np.array([one.labelled[:, sample] for one in hours])),
                ]
            )

    await copy(owner, "metrics", names, parts(), schema="telemetry")


async def _plain_samples(owner: Connection, planned: BenchSet, hours: Sequence[Hour]) -> None:
    times = np.array([one.times_us for one in hours])
    values = np.array([one.labelled[DISK_USED] for one in hours])
    servers = np.tile(uuids([one.bytes for one in planned.server_ids]), times.shape[1])
    rows = encode(
        [
            ("server_id", "uuid", servers),
            ("time", "timestamptz", moments(times.T.reshape(-1))),
            ("value", "float8", values.T.reshape(-1)),
        ]
    )
    await copy(owner, "disk_used", ["server_id", "time", "value"], [rows], schema="plain")
    await owner.executemany(
        "insert into plain.latest values ($1, $2) on conflict (server_id) do update set time = excluded.time",
        [(one, to_datetime(int(row[-1]))) for one, row in zip(planned.server_ids, times, strict=True)],
    )


async def _processes(owner: Connection, planned: BenchSet) -> None:
    """Of the last hour."""
    host = Host(rng=random.Random(0), start_time_ns=0)
    snapshots = [one.processes for one in host.samples(SNAPSHOTS)]
    start_us = planned.now_us - HOUR_US
    hours = [hour_of(server, start_us).times_us for server in range(planned.size.servers)]
    rows = (
        (to_datetime(int(times[sample])), server_id, ORGANIZATION, snapshots[(sample + server) % SNAPSHOTS])
        for sample in range(len(hours[0]))
        for server, (server_id, times) in enumerate(zip(planned.server_ids, hours, strict=True))
    )
    names = ["time", "server_id", "organization_id", "snapshot"]
    await owner.copy_records_to_table("processes", schema_name="telemetry", columns=names, records=rows, timeout=None)
    await owner.execute(
        "insert into plain.processes (server_id, time, snapshot) "
        "select server_id, time, snapshot from telemetry.processes order by time"
    )


async def _roll_up(owner: Connection, planned: BenchSet, layout_ids: Sequence[int], names: Sequence[str]) -> None:
    size = planned.size
    minutes, hours = (
        _spans(level, planned.rolled_us - days * DAY_US, planned.rolled_us)
        for level, days in ((MINUTES, size.minute_days), (HOURS, size.hour_days))
    )
    for server in range(size.rolled_servers):
        of_server = server, planned.server_ids[server], layout_ids[server]
        await _write_level(owner, MINUTES, *of_server, minutes)
        await _write_level(owner, HOURS, *of_server, hours)
        for span in hours:
            found = buckets_of(server, span.begin_us, span.count, HOUR_US)
            values = [
                (name, "float8", found.core[side][metric])
                for name, (metric, side) in zip(
                    names, ((place, side) for place, _ in PLAIN for side in range(len(SIDES))), strict=True
                )
            ]
            servers = uuids([planned.server_ids[server].bytes] * span.count)
            rows = encode([("server_id", "uuid", servers), ("time", "timestamptz", moments(found.times_us)), *values])
            await copy(owner, "hours", ["server_id", "time", *names], [rows], schema="plain")


@dataclass(frozen=True, slots=True)
class _BlockSpan:
    """A block: to which span it belongs, when its first bucket begins, and how many follow one another."""

    span_start: datetime
    begin_us: int
    count: int


def _spans(level: Level, start_us: int, end_us: int) -> Sequence[_BlockSpan]:
    """The blocks of a level in which the buckets of a span lie."""
    buckets = groupby(
        range(start_us, end_us, level.bucket_us), lambda begin_us: level.span_start(to_datetime(begin_us))
    )
    return [_BlockSpan(span_start, (begins := list(found))[0], len(begins)) for span_start, found in buckets]


async def _write_level(
    owner: Connection, level: Level, server: int, server_id: uuid.UUID, layout_id: int, spans: Sequence[_BlockSpan]
) -> None:
    names = "server_id organization_id span_start layout_id first_time last_time count times weights weight_places"
    names += " core labelled"
    for begin in range(0, len(spans), ROLLED_AT_ONCE):
        rows = []
        for span in spans[begin : begin + ROLLED_AT_ONCE]:
            one = _block(layout_id, server, span.begin_us, span.count, level.bucket_us)
            rows.append(
                (
                    server_id,
                    ORGANIZATION,
                    span.span_start,
                    layout_id,
                    one.first_time,
                    one.last_time,
                    one.count,
                    one.times,
                    one.weights,
                    one.weight_places,
                    one.core,
                    one.labelled,
                )
            )
        await owner.copy_records_to_table(level.table, schema_name="telemetry", columns=names.split(), records=rows)


def _block(layout_id: int, server: int, start_us: int, count: int, bucket_us: int) -> RollupBlock:
    found = buckets_of(server, start_us, count, bucket_us)
    weights = np.full(count, bucket_us)

    def buckets(sides: tuple[Floats, Floats, Floats]) -> Buckets:
        low, average, high = sides
        return Buckets(times=found.times_us, weights=weights, metric_weights=None, low=low, average=average, high=high)

    core = buckets(found.core).with_metrics(len(_NUMBERS))
    return pack(Rollup(organization_id=ORGANIZATION, layout_id=layout_id, core=core, labelled=buckets(found.labelled)))


def _all_core(measured: Floats) -> Floats:
    gap = np.full((len(_NUMBERS) - len(measured), measured.shape[1]), np.nan)
    return np.vstack((measured, gap))


def new_servers(count: int) -> list[uuid.UUID]:
    """Ids for that many servers."""
    return [new_id() for _ in range(count)]

"""What forms of storage take, and cost to write: `python -m tests.bench.storage.forms [SAMPLES]`, per server.

Decision record 0007 has the table. Rows go in by COPY, as ingest writes them, into tables made for the occasion.
"""

import array
import asyncio
import hashlib
import random
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from deploy.local.machine.account import database_account
from flick.v1 import telemetry_pb2
from tests.bench.cpu import process_cpu_s
from tests.bench.storage.day import DAY_SAMPLES, Host
from tests.integration.query.rows import CORE
from tests.servers import postgres_server

SERVERS = 3
ROWS_PER_COPY = 200
CORE_COLUMNS = tuple(CORE[number] for number in sorted(CORE))
_EPOCH = datetime.fromtimestamp(0, tz=UTC)
_PAGE_BYTES = 4096
_START_NS = 1_760_054_400 * 10**9  # a midnight, so that a day is one chunk
_WHOLE = frozenset(name for name in CORE_COLUMNS if name.startswith(("memory_", "swap_")) or name == "uptime") - {
    "memory_utilization", "swap_utilization",
}  # fmt: skip

_KEY = {"time": "timestamptz not null", "server_id": "uuid not null"}
_OWNER = {"organization_id": "uuid not null"}
_RECEIVED = {"received_at": "timestamptz not null"}
_DOUBLE = dict.fromkeys(CORE_COLUMNS, "double precision")
_MIXED = {name: "double precision" if name in _WHOLE else "real" for name in CORE_COLUMNS}
_REAL = dict.fromkeys(CORE_COLUMNS, "real")
_ARRAY = {"layout_id": "integer", "labelled": "real[]"}
_PACKED = {"layout_id": "integer", "packed": "bytea"}
_SNAPSHOT = {"snapshot": "bytea"}
_INTERNED = {"interned": "bytea"}


@dataclass(frozen=True)
class Form:
    """Columns of a table, in their order, and what is set for the table and for its snapshots."""

    columns: dict[str, str]
    settings: Sequence[str] = ()


FORMS = {
    "metrics": Form({**_KEY, **_OWNER, **_RECEIVED, **_DOUBLE, **_ARRAY}),
    "metrics, slim": Form({**_KEY, **_DOUBLE, **_ARRAY}),
    "metrics, slim, real but bytes": Form({**_KEY, **_MIXED, **_ARRAY}),
    "metrics, slim, real": Form({**_KEY, **_REAL, **_ARRAY}),
    "metrics, slim, real but bytes, bytea": Form({**_KEY, **_MIXED, **_PACKED}),
    "processes": Form({**_KEY, **_OWNER, **_SNAPSHOT}),
    "processes, lz4": Form(
        {**_KEY, **_OWNER, **_SNAPSHOT},
        [
            "alter table {} alter column snapshot set storage main",
            "alter table {} alter column snapshot set compression lz4",
            "alter table {} set (toast_tuple_target = 128)",
        ],
    ),
    "processes, slim, interned": Form({**_KEY, **_INTERNED}),
    "one table": Form({**_KEY, **_DOUBLE, **_ARRAY, **_SNAPSHOT}),
    "one table, interned": Form({**_KEY, **_DOUBLE, **_ARRAY, **_INTERNED}),
    "one table, real but bytes, bytea, interned": Form({**_KEY, **_MIXED, **_PACKED, **_INTERNED}),
}


def rows(samples_per_server: int) -> Iterator[dict[str, Any]]:
    """Every column that a form may have, the servers' rows mixed as they come."""
    servers = [
        (uuid.uuid4(), uuid.uuid4(), Host(rng=random.Random(seed), start_time_ns=_START_NS).samples(samples_per_server))
        for seed in range(SERVERS)
    ]
    for _ in range(samples_per_server):
        for server_id, organization_id, samples in servers:
            sample = next(samples)
            moment = _EPOCH + timedelta(microseconds=sample.time_unix_nano // 1000)
            yield {
                "time": moment,
                "server_id": server_id,
                "organization_id": organization_id,
                "received_at": moment + timedelta(milliseconds=30),
                **dict(zip(CORE_COLUMNS, sample.core, strict=True)),
                "layout_id": 7,
                "labelled": list(sample.labelled),
                "packed": array.array("f", sample.labelled).tobytes(),
                "snapshot": sample.processes,
                "interned": _intern(telemetry_pb2.ProcessSnapshot.FromString(sample.processes).processes),
            }


def _intern(processes: Sequence[telemetry_pb2.Process]) -> bytes:
    """Processes as columns: a number that stands for name, command and user, then what changes."""
    words = (f"{one.name}\0{one.command}\0{one.user}".encode() for one in processes)
    identities = b"".join(hashlib.sha256(text).digest()[:4] for text in words)
    shares = array.array("f", [one.cpu_utilization for one in processes]).tobytes()
    numbers = [(one.pid, one.memory_rss // _PAGE_BYTES, one.thread_count) for one in processes]
    states = bytes(one.state == "running" for one in processes)
    return bytes([len(processes)]) + identities + shares + b"".join(map(_varint, sum(numbers, ()))) + states


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


async def measure(
    connection: "asyncpg.Connection[asyncpg.Record]", table: str, form: Form, found: Sequence[Any]
) -> str:
    """Write the rows; bytes per row of table and index, microseconds per row of client and PostgreSQL, bytes of WAL."""
    definition = ", ".join(f"{name} {kind}" for name, kind in form.columns.items())
    await connection.execute(f"create table {table} ({definition})")
    await connection.execute(
        f"select create_hypertable('{table}', by_range('time', interval '1 day'), create_default_indexes => false)"
    )
    await connection.execute(f"create unique index on {table} (server_id, time)")
    for setting in form.settings:
        await connection.execute(setting.format(table))
    await connection.execute("checkpoint")
    records = [tuple(row[name] for name in form.columns) for row in found]
    backend, began_at = connection.get_server_pid(), await connection.fetchval("select pg_current_wal_insert_lsn()")
    backend_s, client_s = process_cpu_s(backend), time.process_time()
    for start in range(0, len(records), ROWS_PER_COPY):
        await connection.copy_records_to_table(
            table, columns=list(form.columns), records=records[start : start + ROWS_PER_COPY]
        )
    client_us, backend_us = (time.process_time() - client_s) * 1e6, (process_cpu_s(backend) - backend_s) * 1e6
    log_bytes = await connection.fetchval("select (pg_current_wal_insert_lsn() - $1::pg_lsn)::float8", began_at)
    sizes = await connection.fetchrow(
        "select sum(table_bytes + coalesce(toast_bytes, 0))::float8 as heap, sum(index_bytes)::float8 as key"
        " from hypertable_detailed_size($1::text::regclass)",
        table,
    )
    assert sizes is not None
    figures = (sizes["heap"], sizes["key"], client_us, backend_us, log_bytes)
    return "".join(f"{one / len(records):>12.1f}" for one in figures)


async def main(samples_per_server: int) -> None:
    """Every form, one after the other."""
    found = list(rows(samples_per_server))
    print(f"{'':<44}" + "".join(f"{one:>12}" for one in ("table B", "index B", "client us", "server us", "WAL B")))
    async with postgres_server(database_account()) as (server, _), server.database() as name:
        connection = await asyncpg.connect(server.admin_url(database=name))
        for number, (title, form) in enumerate(FORMS.items()):
            print(f"{title:<44}" + await measure(connection, f"form_{number}", form, found), flush=True)
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else DAY_SAMPLES))

"""Samples as plain rows of the table, as ingest writes them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from flick.ids import new_id
from flick.v1 import catalog_pb2, telemetry_pb2
from tests.packed import pack_core, pack_labelled

CORE = {number: name.removeprefix("METRIC_").lower() for name, number in catalog_pb2.Metric.items() if 0 < number < 500}
EPOCH = datetime.fromtimestamp(0, tz=UTC)
NAN = math.nan

ORGANIZATION = new_id()  # query finds samples by server, whoever owns it


class Came(NamedTuple):
    """A sample, and how long after its time it came, in microseconds."""

    sample: telemetry_pb2.Sample
    lag_us: int = 0

    @property
    def time_us(self) -> int:
        """When it was measured, in microseconds since the Unix epoch."""
        return self.sample.time_unix_nano // 1000


def core_values(sample: telemetry_pb2.Sample) -> list[float]:
    """Every scalar metric in the order of their numbers."""
    core = dict(enumerate(sample.core, start=1))
    return [core.get(number, NAN) for number in sorted(CORE)]


async def insert(connection: "asyncpg.Connection[Any]", server_id: str, came: Iterable[Came]) -> None:
    """Write samples."""
    await _write(connection, "metrics", [_row(server_id, one) for one in came])


async def insert_processes(
    connection: "asyncpg.Connection[Any]", server_id: str, snapshots: Mapping[int, bytes]
) -> None:
    """Write snapshots of processes, each under its time in microseconds."""
    rows = [
        {"time": _moment(time_us), "server_id": server_id, "organization_id": ORGANIZATION, "snapshot": packed}
        for time_us, packed in snapshots.items()
    ]
    await _write(connection, "processes", rows)


def _row(server_id: str, came: Came) -> dict[str, Any]:
    one = came.sample
    return {
        "time": _moment(came.time_us),
        "server_id": server_id,
        "organization_id": ORGANIZATION,
        "received_at": _moment(came.time_us + came.lag_us),
        "layout_id": one.layout_id or None,
        "core": pack_core(core_values(one)),
        "labelled": pack_labelled(one.labelled) if one.layout_id else None,
    }


def _moment(time_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_us)


async def _write(connection: "asyncpg.Connection[Any]", table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await connection.copy_records_to_table(
            table, schema_name="telemetry", columns=list(rows[0]), records=[tuple(row.values()) for row in rows]
        )

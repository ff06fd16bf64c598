"""Writes sealed hours as ingest does, but of any samples: a test chooses which of them lie in a block, and in which."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import asyncpg

from flick.blobs import pack_blobs
from flick.columns import pack
from tests.integration.query.rows import EPOCH, NAN, ORGANIZATION, Came, core_values

HOUR_US = 3600 * 1_000_000


async def seal(connection: "asyncpg.Connection[Any]", server_id: str, came: Iterable[Came]) -> None:
    """Write samples as blocks, one for each hour and layout, which are not rolled up yet."""
    blocks: dict[tuple[int, int], list[Came]] = {}
    for one in sorted(came, key=lambda one: one.time_us):
        blocks.setdefault((one.time_us // HOUR_US, one.sample.layout_id), []).append(one)
    rows = [_block(server_id, layout_id, found) for (_, layout_id), found in blocks.items()]
    await _write(connection, "sealed_metrics", rows)
    await connection.executemany(
        "insert into telemetry.rollups_due (server_id, hour, has_minutes) values ($1, $2, false) "
        "on conflict (server_id, hour) do update set has_minutes = false",
        [(server_id, hour) for hour in {row["hour"] for row in rows}],
    )


async def seal_processes(connection: "asyncpg.Connection[Any]", server_id: str, snapshots: Mapping[int, bytes]) -> None:
    """Write snapshots, each under its time in microseconds, as blocks, one for each hour."""
    rows = []
    for _, hour in groupby(sorted(snapshots.items()), key=lambda one: one[0] // HOUR_US):
        found = dict(hour)
        rows.append(_key(server_id, list(found)) | {"snapshots": pack_blobs(list(found.values()))})
    await _write(connection, "sealed_processes", rows)


def _block(server_id: str, layout_id: int, came: Sequence[Came]) -> dict[str, Any]:
    samples = [one.sample for one in came]
    width = max((len(one.labelled) for one in samples), default=0)
    labelled = [[*one.labelled, *[NAN] * (width - len(one.labelled))] for one in samples]
    return _key(server_id, [one.time_us for one in came]) | {
        "layout_id": layout_id,
        "lags": pack("q", [array("q", [one.lag_us for one in came])]),
        "core": pack("d", [array("d", column) for column in zip(*map(core_values, samples), strict=True)]),
        "labelled": pack("f", [array("f", column) for column in zip(*labelled, strict=True)]) if layout_id else None,
    }


def _key(server_id: str, times_us: Sequence[int]) -> dict[str, Any]:
    return {
        "server_id": server_id,
        "organization_id": ORGANIZATION,
        "hour": _moment(times_us[0] // HOUR_US * HOUR_US),
        "first_time": _moment(times_us[0]),
        "last_time": _moment(times_us[-1]),
        "count": len(times_us),
        "times": pack("q", [array("q", times_us)]),
    }


def _moment(time_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_us)


async def _write(connection: "asyncpg.Connection[Any]", table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await connection.copy_records_to_table(
            table, schema_name="telemetry", columns=list(rows[0]), records=[tuple(row.values()) for row in rows]
        )

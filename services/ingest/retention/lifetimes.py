"""From before which moment what is stored of each server is to go. Pure."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flick.ids import parse_id, pushed_source
from flick.v1 import access_pb2

DELETED_KEPT_DAYS = 7  # so long a server that was deleted by mistake can be brought back by hand
MAX_RETENTION_DAYS = 3650  # flick.v1.ServerRetention
_SHORTEST = timedelta(days=1)

Expiries = Mapping[uuid.UUID, datetime]
"""The moment for each server; of others nothing goes."""


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """How many days it is kept what no setting of a server tells.

    Attributes:
        processes_days: snapshots of processes, which are never kept longer than the samples of their server.
        minutes_days, hours_days, days_days: rollups of each level.
    """

    processes_days: int = 14
    minutes_days: int = 90
    hours_days: int = 730
    days_days: int = 3650


def expiries(
    servers: Iterable[access_pb2.ServerRetention], lifetimes: Lifetimes, *, now: datetime
) -> Mapping[str, Expiries]:
    """By table of the schema `telemetry`. A server of which something is told that can't be is left out."""
    found: dict[str, dict[uuid.UUID, datetime]] = {}
    for server in servers:
        server_id = parse_id(server.server_id)
        if server_id is None:
            continue
        for table, age in _ages(server, lifetimes, now=now).items():
            of_table = found.setdefault(table, {})
            of_table[server_id] = of_table[pushed_source(server_id)] = now - age
    return found


def _ages(server: access_pb2.ServerRetention, lifetimes: Lifetimes, *, now: datetime) -> Mapping[str, timedelta]:
    """How old what is kept of a server may be, by table."""
    tables = ("sealed_processes", "sealed_metrics", "rollups_1m", "rollups_1h", "rollups_1d")
    if server.HasField("delete_time"):
        is_over = server.delete_time.ToDatetime(UTC) + timedelta(days=DELETED_KEPT_DAYS) <= now
        return dict.fromkeys(tables, _SHORTEST) if is_over else {}
    if not 1 <= server.retention_days <= MAX_RETENTION_DAYS:
        return {}
    days = (
        min(lifetimes.processes_days, server.retention_days),
        server.retention_days,
        lifetimes.minutes_days,
        lifetimes.hours_days,
        lifetimes.days_days,
    )
    return {table: timedelta(days=count) for table, count in zip(tables, days, strict=True)}

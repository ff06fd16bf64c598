"""The database's size and what will become of it, as the contract tells it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from flick.v1 import stats_pb2
from services.query.stats.database import SizeRows
from services.query.stats.forecast import DAY_S, Forecast, Kind, forecast

ROLLED_UP_BY_DAY = ("rollups_1h", "rollups_1d")  # a UTC day comes to them when it is over


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, in bytes."""

    total_bytes: int
    free_bytes: int


def tell_size(
    rows: SizeRows, *, lifetimes_s: Mapping[str, float], sealed_until_s: float, now_s: float, disk: Disk | None
) -> stats_pb2.DatabaseStats:
    """Sizes and the forecast.

    Args:
        rows: what PostgreSQL knows.
        lifetimes_s: of the tables that grow with time.
        sealed_until_s: up to when everything is sealed, in seconds since the Unix epoch.
        now_s: the time, likewise.
        disk: where the database lies; None: not known.
    """
    tables = [
        stats_pb2.TableStats(
            schema=row["schema"],
            table=row["table_name"],
            total_bytes=row["total_bytes"],
            index_bytes=row["index_bytes"],
            row_estimate=row["rows"],
            chunk_count=row["chunks"],
        )
        for row in rows.tables
    ]
    answer = stats_pb2.DatabaseStats(
        total_bytes=rows.total_bytes,
        tables=tables,
        other_bytes=max(0, rows.total_bytes - sum(table.total_bytes for table in tables)),
    )
    if disk is not None:
        answer.disk.total_bytes, answer.disk.free_bytes = disk.total_bytes, disk.free_bytes
    found = None
    if rows.first_s is not None:
        kinds = [
            Kind(
                table=table,
                pieces=rows.pieces.get(table, ()),
                lifetime_s=lifetime_s,
                from_s=rows.first_s,
                until_s=sealed_until_s // DAY_S * DAY_S if table in ROLLED_UP_BY_DAY else sealed_until_s,
            )
            for table, lifetime_s in lifetimes_s.items()
        ]
        found = forecast(kinds, total_bytes=rows.total_bytes, free_bytes=None if disk is None else disk.free_bytes)
    if found is None:
        answer.forecast.absent_reason = "less than an hour of samples is sealed yet; come back in an hour or two"
    else:
        _tell_forecast(answer.forecast, found, now_s)
    return answer


def _tell_forecast(answer: stats_pb2.DatabaseForecast, found: Forecast, now_s: float) -> None:
    answer.growth_bytes_per_day = found.bytes_per_day
    answer.final_bytes = round(found.final_bytes)
    answer.final_time.FromSeconds(int(now_s + found.days_to_final * DAY_S))
    if found.days_until_full is not None:
        answer.days_until_full = found.days_until_full
    for part in found.parts:
        told = answer.parts.add(
            table=part.kind.table,
            bytes=part.kind.size_bytes,
            growth_bytes_per_day=part.bytes_per_day,
            lifetime=timedelta(seconds=part.kind.lifetime_s),
            final_bytes=round(part.final_bytes),
        )
        if part.measured_s:
            told.measured_over.FromTimedelta(timedelta(seconds=part.measured_s))

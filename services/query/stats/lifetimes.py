"""How old each kind of data may become. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.query.stats.forecast import DAY_S

DEFAULT_RETENTION_DAYS = 30.0  # the contract's, of raw samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """In days, as ingest is told them by the same settings; raw samples have each server's own."""

    processes_days: float = 14.0
    rollups_1m_days: float = 90.0
    rollups_1h_days: float = 730.0
    rollups_1d_days: float = 3650.0

    def by_table(self, retention_days: Sequence[int]) -> Mapping[str, float]:
        """How long each growing table keeps what it has, in seconds, when servers keep raw samples so many days."""
        servers = len(retention_days)
        raw = sum(retention_days) / servers if servers else DEFAULT_RETENTION_DAYS
        processes = (
            sum(min(days, self.processes_days) for days in retention_days) / servers if servers else self.processes_days
        )
        days = {
            "sealed_metrics": raw,
            "sealed_processes": processes,
            "rollups_1m": self.rollups_1m_days,
            "rollups_1h": self.rollups_1h_days,
            "rollups_1d": self.rollups_1d_days,
        }
        return {table: one * DAY_S for table, one in days.items()}


GROWING = tuple(Lifetimes().by_table([]))
"""The tables that grow with time."""

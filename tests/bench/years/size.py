"""How large the set is."""

from dataclasses import dataclass

INTERVAL_S = 5
HOUR_SAMPLES = 3600 // INTERVAL_S


@dataclass(frozen=True, kw_only=True)
class Size:
    """Attributes:
    servers: how many servers have samples.
    sealed_hours: how many hours of each are sealed; those that follow lie in rows.
    row_hours: how many lie in rows, up to now.
    rolled_servers: how many servers have rollups of the time before.
    minute_days, hour_days: for how long they have those of a minute and of an hour.
    """

    servers: int = 1000
    sealed_hours: int = 22
    row_hours: int = 2
    rolled_servers: int = 50
    minute_days: int = 30
    hour_days: int = 365


FULL = Size()
SMALL = Size(servers=3, sealed_hours=3, row_hours=1, rolled_servers=2, minute_days=2, hour_days=40)
"""The same in a moment, for a test of the answers."""

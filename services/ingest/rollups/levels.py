"""The three levels of rollups: how long their buckets are, and which span of them is one block. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ingest.rollups.buckets import DAY_US, HOUR_US, MINUTE_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One of them.

    Attributes:
        table: where its blocks are, in the schema `telemetry`.
        bucket_us: how long its buckets are.
        span_start: the beginning of the block that a moment belongs to; moments are in UTC.
    """

    table: str
    bucket_us: int
    span_start: Callable[[datetime], datetime]


def hour_of(moment: datetime) -> datetime:
    """The hour of a moment in UTC."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """The day of a moment in UTC."""
    return hour_of(moment).replace(hour=0)


def third_of(moment: datetime) -> datetime:
    """The 1st, 11th or 21st of the month of a moment in UTC, whichever came last: 8 to 11 days begin so.

    A year is read in 36 blocks, and what a day changes of one is written anew in a tenth of the time of a whole year.
    """
    day = day_of(moment)
    return day.replace(day=1 + 10 * min(2, (day.day - 1) // 10))


def year_of(moment: datetime) -> datetime:
    """The year of a moment in UTC."""
    return day_of(moment).replace(month=1, day=1)


MINUTES = Level(table="rollups_1m", bucket_us=MINUTE_US, span_start=hour_of)
HOURS = Level(table="rollups_1h", bucket_us=HOUR_US, span_start=third_of)
DAYS = Level(table="rollups_1d", bucket_us=DAY_US, span_start=year_of)

DAY = timedelta(days=1)

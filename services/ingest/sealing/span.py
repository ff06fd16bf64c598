"""Which hours are over, and the spans of them that are sealed at once. Pure."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

HOUR = timedelta(hours=1)
_EPOCH = datetime.fromtimestamp(0, tz=UTC)


def over_until(now: datetime, *, after_s: float) -> datetime:
    """The end of the last hour that ended at least `after_s` ago."""
    return _EPOCH + (now - timedelta(seconds=after_s) - _EPOCH) // HOUR * HOUR


def hours_within(start: datetime, end: datetime) -> Iterator[datetime]:
    """The beginnings of the hours from `start` until before `end`, both of which are whole hours."""
    while start < end:
        yield start
        start += HOUR


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of a server's hour, or all of it: from `start` until before `end`."""

    server_id: uuid.UUID
    hour: datetime
    start: datetime
    end: datetime

    @classmethod
    def of_hour(cls, server_id: uuid.UUID, hour: datetime) -> Self:
        """The whole hour."""
        return cls(server_id=server_id, hour=hour, start=hour, end=hour + HOUR)

    @property
    def is_hour(self) -> bool:
        """Whether it is the whole hour."""
        return self.start == self.hour and self.end == self.hour + HOUR

    def halves(self) -> Sequence["Span"]:
        """The same in two parts. Raises ValueError for a single microsecond."""
        middle = self.start + (self.end - self.start) // 2
        if middle == self.start:
            raise ValueError(f"the rows of server {self.server_id} at {self.start} alone are too large")
        return [replace(self, end=middle), replace(self, start=middle)]

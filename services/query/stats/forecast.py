"""How large the database will become, told from how it grew. Pure.

Every kind of data is kept in a table that is divided by time, so its growth is in its own chunks: how much the newest
of them hold, over the time for which they hold it. At that pace it grows until its data is as old as it may become.
"""

from collections.abc import Sequence
from dataclasses import dataclass

DAY_S = 86_400.0
MEASURED_OVER_S = DAY_S  # at least, where there is so much: load differs between day and night
LEAST_MEASURED_S = 3600.0  # less says nothing of a day


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk: the span that it is for, in seconds since the Unix epoch, and its bytes."""

    start_s: float
    end_s: float
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of data.

    Args:
        table: which keeps it.
        pieces: the table's chunks.
        lifetime_s: how old its data may become.
        from_s, until_s: the span for which it can have data so far, in seconds since the Unix epoch.
    """

    table: str
    pieces: Sequence[Piece]
    lifetime_s: float
    from_s: float
    until_s: float

    @property
    def size_bytes(self) -> int:
        """What it takes now."""
        return sum(piece.size_bytes for piece in self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How one kind grows. `measured_s` is 0 where it has no data of an hour yet; then it counts as it is."""

    kind: Kind
    bytes_per_day: float
    measured_s: float

    @property
    def final_bytes(self) -> float:
        """Its size when its data is as old as it may become."""
        if not self.measured_s:
            return float(self.kind.size_bytes)
        return self.bytes_per_day * self.kind.lifetime_s / DAY_S

    @property
    def to_come_bytes(self) -> float:
        """How much it still grows; never less than 0."""
        return max(0.0, self.final_bytes - self.kind.size_bytes)

    @property
    def days_to_final(self) -> float:
        """How long it still grows."""
        return self.to_come_bytes / self.bytes_per_day if self.bytes_per_day else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How the database grows.

    Args:
        parts: each kind.
        bytes_per_day: what comes in a day, of all kinds.
        final_bytes: the database's size when all data is as old as it may become.
        days_to_final: in how many days that is.
        days_until_full: in how many days the free space is used up; None: never, or it is not known.
    """

    parts: Sequence[Growth]
    bytes_per_day: float
    final_bytes: float
    days_to_final: float
    days_until_full: float | None


def growth(kind: Kind) -> Growth:
    """How a kind grew lately: over its newest chunks, as many as hold a day."""
    size_bytes, measured_s = 0, 0.0
    for piece in sorted(kind.pieces, key=lambda one: one.start_s, reverse=True):
        covered_s = min(piece.end_s, kind.until_s) - max(piece.start_s, kind.from_s)
        if covered_s <= 0:
            continue
        size_bytes += piece.size_bytes
        measured_s += covered_s
        if measured_s >= MEASURED_OVER_S:
            break
    if measured_s < LEAST_MEASURED_S:
        return Growth(kind=kind, bytes_per_day=0.0, measured_s=0.0)
    return Growth(kind=kind, bytes_per_day=size_bytes * DAY_S / measured_s, measured_s=measured_s)


def forecast(kinds: Sequence[Kind], *, total_bytes: int, free_bytes: int | None) -> Forecast | None:
    """What will become of a database of `total_bytes`; None when no kind has data of an hour yet.

    What is of no kind stays as large as it is. `free_bytes` is the space left; None: not known.
    """
    parts = [growth(kind) for kind in kinds]
    if not any(part.measured_s for part in parts):
        return None
    constant_bytes = total_bytes - sum(kind.size_bytes for kind in kinds)
    return Forecast(
        parts=parts,
        bytes_per_day=sum(part.bytes_per_day for part in parts),
        final_bytes=constant_bytes + sum(part.final_bytes for part in parts),
        days_to_final=max(part.days_to_final for part in parts),
        days_until_full=None if free_bytes is None else days_until(parts, free_bytes),
    )


def days_until(parts: Sequence[Growth], more_bytes: float) -> float | None:
    """In how many days all parts together have grown by so much; None: they never will."""
    if more_bytes <= 0:
        return 0.0
    if sum(part.to_come_bytes for part in parts) < more_bytes:
        return None
    growing = sorted((part for part in parts if part.to_come_bytes), key=lambda part: part.days_to_final)
    grown_bytes = days = 0.0
    for number, part in enumerate(growing):
        pace = sum(one.bytes_per_day for one in growing[number:])
        reached_bytes = grown_bytes + pace * (part.days_to_final - days)
        if reached_bytes >= more_bytes:
            return days + (more_bytes - grown_bytes) / pace
        grown_bytes, days = reached_bytes, part.days_to_final
    return days  # by rounding alone

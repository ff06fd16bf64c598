"""Moments as asyncpg takes them, and as everything else counts them: in microseconds since the Unix epoch."""

from datetime import UTC, datetime, timedelta

from services.query.rules.plan import Span

_EPOCH = datetime.fromtimestamp(0, tz=UTC)


def bounds(span: Span) -> tuple[datetime, datetime]:
    """The span's beginning and end."""
    return from_us(span.start_us), from_us(span.end_us)


def from_us(moment_us: int) -> datetime:
    """A moment as asyncpg takes it."""
    return _EPOCH + timedelta(microseconds=moment_us)

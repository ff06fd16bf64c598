"""Which earlier time the present is compared with. Pure."""

from typing import NamedTuple
from zoneinfo import ZoneInfo

from flick.errors import invalid
from services.query.rules.days import DayReading, days_before
from services.query.rules.plan import MAX_SPAN_US, Reading, Span


class Earlier(NamedTuple):
    """How the earlier time is read, how much later what is read is shown, and how much earlier it is in all."""

    reading: Reading
    later_us: int
    offset_us: int


def check_offset(offset_us: int, span: Span) -> None:
    """Raise INVALID_ARGUMENT when nothing can be compared with what was `offset_us` before the span; 0: nothing is."""
    if offset_us < 0:
        raise invalid("compare_offset", "is negative; write how much earlier the time is that you compare with.")
    if offset_us > MAX_SPAN_US:
        raise invalid("compare_offset", "is more than 3660 days, longer than anything is kept.")
    if offset_us > span.start_us:
        raise invalid("compare_offset", "reaches before the year 1970; compare with a later time.")


def whole_steps(offset_us: int, step_us: int | None) -> int:
    """The offset rounded to whole steps, at least one, so that what was earlier lies on the same grid."""
    if step_us is None:
        return offset_us
    return max(1, (offset_us + step_us // 2) // step_us) * step_us


def earlier(reading: Reading, offset_us: int, *, zone: ZoneInfo) -> Earlier:
    """The earlier time that stands beside what `reading` reads; `offset_us` is made a whole number of its steps."""
    offset_us = whole_steps(offset_us, reading.step_us)
    if isinstance(reading, DayReading):  # a day is compared with a day, though one has 23 hours
        return Earlier(days_before(reading, offset_us, zone=zone), 0, offset_us)
    return Earlier(reading.moved(-offset_us), offset_us, offset_us)

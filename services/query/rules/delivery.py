"""Which span a question about a server's delivery means. Pure."""

from flick.errors import invalid
from services.query.rules.plan import DEFAULT_SPAN_US, SECOND_US, Span, check_moment

HOUR_US = 3600 * SECOND_US  # what is not simply stored is counted by the hour
MAX_SPAN_US = 31 * 24 * HOUR_US  # counts are kept for 32 days


def plan_delivery_span(*, start_us: int | None, end_us: int | None, now_us: int) -> Span:
    """The span that is asked for, widened to whole hours.

    Raises INVALID_ARGUMENT naming the field when it is empty, longer than 31 days or out of range.
    """
    end = check_moment("end_time", now_us if end_us is None else end_us)
    start = check_moment("start_time", max(0, end - DEFAULT_SPAN_US) if start_us is None else start_us)
    if start >= end:
        raise invalid("start_time", "must be before end_time; swap them or leave end_time out for now.")
    if end - start > MAX_SPAN_US:
        raise invalid("start_time", "is more than 31 days before end_time; ask for a shorter span.")
    return Span(start_us=start, end_us=end).aligned(HOUR_US)

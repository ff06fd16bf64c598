"""Timestamps and durations as text: the forms of the protobuf JSON mapping, and Go's form of a duration.

A moment is (seconds since 1970 UTC, nanoseconds 0..999,999,999); a duration is (seconds, nanoseconds) of one sign.
Source: comments of google/protobuf/timestamp.proto and duration.proto; time.ParseDuration of Go.
"""

import re
from datetime import date
from functools import lru_cache

# Go's time.Parse takes an hour of one digit, a comma before the fraction, and any number of digits in it.
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?(?:(Z)|([+-])(\d\d):(\d\d))", re.ASCII
)
_DURATION = re.compile(r"([+-]?)(?:(0|[1-9]\d*)(?:\.(\d{0,9}))?|\.(\d{0,9}))s", re.ASCII)
_GO_DURATION = re.compile(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_GO_PART = re.compile(r"(\d*)(\.\d*)?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_GO_DIGITS = 19  # of the largest 64-bit integer
_GO_MAX_NS = 2**63 - 1
_GO_UNITS_NS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}

_EPOCH_DAY = date(1970, 1, 1).toordinal()
# Spelt out beforehand: moments are most of many answers, and this takes a third of the time of datetime.isoformat.
_MINUTES = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(1440)]
_SECONDS = [f"{second:02d}" for second in range(60)]
_NANOS = 10**9
_NANOS_DIGITS = 9
_DURATION_DIGITS = 12
FIRST_SECOND = -62135596800
"""0001-01-01T00:00:00Z."""
LAST_SECOND = 253402300799
"""9999-12-31T23:59:59Z."""
MAX_DURATION_S = 315_576_000_000
"""Ten thousand years, the limit of google.protobuf.Duration."""


def format_moment(seconds: int, nanos: int) -> str:
    """RFC 3339 in UTC with 0, 3, 6 or 9 fractional digits; ValueError outside the years 1 to 9999."""
    if not (FIRST_SECOND <= seconds <= LAST_SECOND and 0 <= nanos < _NANOS):
        raise ValueError(f"the timestamp {seconds} s {nanos} ns lies outside the years 1 to 9999")
    days, second = divmod(seconds, 86400)
    return f"{_day(days)}T{_MINUTES[second // 60]}:{_SECONDS[second % 60]}{_fraction(nanos)}Z"


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    """The date so many days after 1970."""
    return date.fromordinal(_EPOCH_DAY + days).isoformat()


def parse_moment(text: str) -> tuple[int, int]:
    """Read RFC 3339 with a zone, as the JSON mapping has it; ValueError says what is wrong."""
    point = text.rfind(".")
    if point >= 0 and len(text[point + 1 :].rstrip("Z").partition("+")[0].partition("-")[0]) > _NANOS_DIGITS:
        raise ValueError("the fraction of a second has more than nine digits")
    return parse_go_moment(text)


def parse_go_moment(text: str) -> tuple[int, int]:
    """Read RFC 3339 with a zone as Go's time package does; of a fraction nine digits count. ValueError says what is
    wrong."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("expected RFC 3339 with a zone, such as 2026-01-31T12:30:00Z")
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("the time of day is out of range")
    days = date(year, month, day).toordinal() - _EPOCH_DAY
    seconds = days * 86400 + hour * 3600 + minute * 60 + second - _zone_s(found)
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise ValueError("the time lies outside the years 1 to 9999")
    return seconds, _nanos(found.group(7))


def _zone_s(found: re.Match[str]) -> int:
    if found.group(8):
        return 0
    hours, minutes = int(found.group(10)), int(found.group(11))
    if hours > 24 or minutes > 60:  # as Go, since people do write offsets of 24 hours or 60 minutes
        raise ValueError("the zone offset is out of range")
    return (hours * 3600 + minutes * 60) * (-1 if found.group(9) == "-" else 1)


def format_duration(seconds: int, nanos: int) -> str:
    """`1.500s`; ValueError past ten thousand years or when the signs differ."""
    if abs(seconds) > MAX_DURATION_S or abs(nanos) >= _NANOS or seconds * nanos < 0:
        raise ValueError(f"the duration {seconds} s {nanos} ns is out of range or of two signs")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def parse_duration(text: str) -> tuple[int, int]:
    """Read the JSON form `1.5s`; ValueError says what is wrong."""
    found = _DURATION.fullmatch(text)
    if found is None or text.lstrip("+-") == "s":
        raise ValueError("expected seconds with an s behind, such as 1.5s")
    sign = -1 if found.group(1) == "-" else 1
    whole = found.group(2) or "0"
    if len(whole) > _DURATION_DIGITS or int(whole) > MAX_DURATION_S:
        raise ValueError("the duration exceeds ten thousand years")
    return sign * int(whole), sign * _nanos(found.group(3) or found.group(4))


def parse_go_duration(text: str) -> tuple[int, int]:
    """Read Go's form, such as `1h30m` or `250ms`; `0` needs no unit."""
    if text in ("0", "+0", "-0"):
        return 0, 0
    found = _GO_DURATION.fullmatch(text)
    if found is None:
        raise ValueError("expected numbers with units ns, us, ms, s, m or h, such as 1h30m or 250ms")
    negative = found.group(1) == "-"
    total = 0
    for whole, fraction, unit in _GO_PART.findall(found.group(2)):
        total += _go_part_ns(whole, fraction, _GO_UNITS_NS[unit])
        if total > _GO_MAX_NS + negative:
            raise ValueError("the duration exceeds 292 years")
    seconds, nanos = divmod(total, _NANOS)
    return (-seconds, -nanos) if negative else (seconds, nanos)


def _go_part_ns(whole: str, fraction: str, unit_ns: int) -> int:
    """Nanoseconds of one number with its unit, with the rounding of Go, which counts fractions in floating point."""
    if len(whole.lstrip("0")) > _GO_DIGITS:
        raise ValueError("the duration exceeds 292 years")
    total = int(whole or "0") * unit_ns
    numerator, scale = _go_fraction(fraction[1:])
    return total + int(float(numerator) * (unit_ns / scale))


def _go_fraction(digits: str) -> tuple[int, float]:
    """The digits that fit into 64 bits as an integer, and what it is to be divided by."""
    numerator, scale = 0, 1.0
    for digit in digits[:_GO_DIGITS]:
        following = numerator * 10 + int(digit)
        if following > _GO_MAX_NS + 1:
            break
        numerator, scale = following, scale * 10
    return numerator, scale


def _fraction(nanos: int) -> str:
    if nanos == 0:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03d}"
    if nanos % 1000 == 0:
        return f".{nanos // 1000:06d}"
    return f".{nanos:09d}"


def _nanos(digits: str | None) -> int:
    return int(digits[:_NANOS_DIGITS].ljust(_NANOS_DIGITS, "0")) if digits else 0

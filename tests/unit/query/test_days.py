"""Steps of days in a time zone: around changes of clocks, leap years, and days that a zone left out."""

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.rules.compare import earlier
from services.query.rules.days import DAY_US, DayReading, by_days
from services.query.rules.plan import SECOND_US, Reading, Span

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
HOUR_US = 3600 * SECOND_US
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Africa/Casablanca",
]


def _us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * SECOND_US


def _days(start: str, end: str, zone: str | ZoneInfo, *, every: int = 1, points: int = 5000) -> DayReading:
    zone = ZoneInfo(zone) if isinstance(zone, str) else zone
    span = Span(start_us=_us(start), end_us=_us(end))
    reading = by_days(Reading(span=span, step_us=every * DAY_US), span, points=points, zone=zone)
    assert isinstance(reading, DayReading)
    return reading


def _hours(reading: DayReading) -> list[float]:
    return [(after - one) / HOUR_US for one, after in pairwise(reading.days.edges_us)]


@pytest.mark.parametrize(
    ("zone", "start", "end", "hours"),
    [
        ("Europe/Berlin", "2026-03-28T00:00+01:00", "2026-03-31T00:00+02:00", [24, 23, 24]),
        ("Europe/Berlin", "2026-10-24T00:00+02:00", "2026-10-27T00:00+01:00", [24, 25, 24]),
        ("America/New_York", "2026-03-07T00:00-05:00", "2026-03-10T00:00-04:00", [24, 23, 24]),
        ("America/New_York", "2026-10-31T00:00-04:00", "2026-11-03T00:00-05:00", [24, 25, 24]),
        ("Australia/Lord_Howe", "2026-04-04T00:00+11:00", "2026-04-07T00:00+10:30", [24, 24.5, 24]),
        ("America/Sao_Paulo", "2018-11-03T00:00-03:00", "2018-11-06T00:00-02:00", [24, 23, 24]),
        ("America/Havana", "2026-10-31T00:00-04:00", "2026-11-03T00:00-05:00", [24, 25, 24]),
        ("Asia/Kathmandu", "2026-03-28T00:00+05:45", "2026-03-31T00:00+05:45", [24, 24, 24]),
        ("Pacific/Apia", "2011-12-29T00:00-10:00", "2012-01-01T00:00+14:00", [24, 24]),
        ("Europe/Berlin", "2028-02-28T00:00+01:00", "2028-03-02T00:00+01:00", [24, 24, 24]),
    ],
)
def test_days_have_the_hours_that_they_have(zone: str, start: str, end: str, hours: list[float]) -> None:
    reading = _days(start, end, zone)

    assert _hours(reading) == hours
    assert (reading.span.start_us, reading.span.end_us) == (_us(start), _us(end))


@pytest.mark.parametrize(("year", "days"), [(2024, 366), (2026, 365), (2028, 366), (2000, 366), (2099, 365)])
def test_a_year_has_its_days(year: int, days: int) -> None:
    reading = _days(f"{year}-01-01T00:00+01:00", f"{year + 1}-01-01T00:00+01:00", BERLIN)

    assert len(reading.days.shown_us) == days
    assert sum(_hours(reading)) == days * 24


def test_a_span_within_a_day_is_widened_to_it() -> None:
    reading = _days("2026-03-29T12:00+02:00", "2026-03-29T13:00+02:00", BERLIN)

    assert reading.days.edges_us == [_us("2026-03-29T00:00+01:00"), _us("2026-03-30T00:00+02:00")]


def test_steps_of_several_days_are_the_same_whatever_span_they_are_asked_in() -> None:
    first = _days("2026-03-01T00:00+01:00", "2026-04-20T00:00+02:00", BERLIN, every=7)
    second = _days("2026-03-05T07:00+01:00", "2026-05-20T00:00+02:00", BERLIN, every=7)

    assert set(first.days.edges_us[1:]) <= set(second.days.edges_us) | {second.days.edges_us[0]}
    assert set(_hours(first)) == {168.0, 167.0}


def test_steps_of_hours_don_t_depend_on_the_zone() -> None:
    reading = Reading(span=Span(start_us=0, end_us=DAY_US), step_us=12 * HOUR_US)

    assert by_days(reading, reading.span, points=10, zone=BERLIN) is reading
    measured = Reading(span=reading.span, step_us=None)
    assert by_days(measured, measured.span, points=10, zone=BERLIN) is measured


moments = st.integers(0, 4_000_000_000).map(lambda second: second * SECOND_US)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    start_us=moments,
    length_us=st.integers(1, 40 * DAY_US),
    every=st.integers(1, 9),
    points=st.integers(10, 50),
)
def test_days_cover_the_span_begin_at_midnight_and_are_no_more_than_asked(
    zone: ZoneInfo, start_us: int, length_us: int, every: int, points: int
) -> None:
    span = Span(start_us=start_us, end_us=start_us + length_us)
    reading = by_days(Reading(span=span, step_us=every * DAY_US), span, points=points, zone=zone)

    assert isinstance(reading, DayReading)
    edges_us = reading.days.edges_us
    assert edges_us[0] <= span.start_us < edges_us[1]
    assert edges_us[-2] < span.end_us <= edges_us[-1]
    assert all(one < after for one, after in pairwise(edges_us))
    assert len(edges_us) - 1 <= points
    for edge_us in edges_us:
        begin, before = (datetime.fromtimestamp((edge_us - us) // SECOND_US, zone) for us in (0, SECOND_US))
        assert begin.date() != before.date(), "a day begins"
    assert not any(edge_us % reading.days.part_us for edge_us in edges_us)
    assert HOUR_US % reading.days.part_us == 0


@given(zone=st.sampled_from(ZONES).map(ZoneInfo), start_us=moments)
def test_every_part_of_the_span_is_a_piece_of_its_day(zone: ZoneInfo, start_us: int) -> None:
    span = Span(start_us=start_us, end_us=start_us + 5 * DAY_US)
    reading = by_days(Reading(span=span, step_us=DAY_US), span, points=10, zone=zone)
    assert isinstance(reading, DayReading)
    parts_us = np.arange(reading.span.start_us, reading.span.end_us, reading.days.part_us)

    for part_us, shown_us in zip(parts_us, reading.begins_us(parts_us), strict=True):
        local, begin = (datetime.fromtimestamp(us // SECOND_US, zone) for us in (int(part_us), int(shown_us)))
        assert local.date() == begin.date()


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK])
def test_a_day_is_compared_with_a_day_although_clocks_changed_between(zone: ZoneInfo) -> None:
    begin = datetime.combine(date(2026, 3, 30), time(), tzinfo=zone)
    reading = _days(begin.isoformat(), (begin + timedelta(days=3)).isoformat(), zone)

    then = earlier(reading, 28 * DAY_US, zone=zone)

    assert isinstance(then.reading, DayReading)
    dates = [datetime.fromtimestamp(one // SECOND_US, zone) for one in then.reading.days.edges_us]
    assert [one.isoformat()[:16] for one in dates] == [f"2026-03-0{day}T00:00" for day in (2, 3, 4, 5)]
    assert then.reading.days.shown_us == reading.days.edges_us[:-1]
    assert (then.later_us, then.offset_us) == (0, 28 * DAY_US)


def test_days_in_utc_are_those_of_the_grid() -> None:
    span = Span(start_us=_us("2026-03-28T05:00+00:00"), end_us=_us("2026-04-02T05:00+00:00")).aligned(DAY_US)
    reading = Reading(span=span, step_us=DAY_US)

    assert by_days(reading, span, points=10, zone=ZoneInfo("UTC")) is reading
    assert span.start_us == _us("2026-03-28T00:00+00:00")

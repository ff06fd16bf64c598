"""What a span is read from: samples, or the level of rollups that tells of all of it."""

import pytest

from services.query.rules.levels import DAYS, HOURS, LEVELS, MINUTES, Hours, Level, Sources, find_sources
from services.query.rules.plan import Probe, Reading, Span, plan_reading

DAY_US = DAYS.bucket_us
BEGIN_US = 20_000 * DAY_US
YEAR = Span(start_us=BEGIN_US, end_us=BEGIN_US + 365 * DAY_US)
NONE = Hours()


@pytest.mark.parametrize(
    ("step_s", "level"),
    [(1, None), (30, None), (60, MINUTES), (900, MINUTES), (3600, HOURS), (43_200, HOURS), (86_400, DAYS)],
)
def test_a_step_is_made_of_the_coarsest_buckets_that_divide_it(step_s: int, level: Level | None) -> None:
    reading = Reading(span=YEAR, step_us=step_s * 1_000_000, sources=Sources(levels=LEVELS))

    assert reading.level is level


def test_samples_as_they_are_have_no_level() -> None:
    assert Reading(span=YEAR, step_us=None, sources=Sources(levels=LEVELS)).level is None


def test_where_everything_begins_at_the_same_time_everything_tells_of_it() -> None:
    first_us = BEGIN_US + 12_345_678
    levels = {one: first_us // one.bucket_us * one.bucket_us for one in LEVELS}

    found = find_sources(start_us=BEGIN_US, first_us=first_us, levels=levels, hours=NONE)

    assert found.samples
    assert list(found.levels) == list(LEVELS)
    assert found.least_us == 0


def test_what_is_not_rolled_up_yet_completes_the_levels() -> None:
    hour_us = BEGIN_US + 5 * HOURS.bucket_us

    found = find_sources(start_us=BEGIN_US, first_us=hour_us + 1_700_000_000, levels={}, hours=Hours(sampled={hour_us}))

    assert found.samples
    assert list(found.levels) == list(LEVELS)
    assert found.sampled_hours == 1


@pytest.mark.parametrize(
    ("gone", "least_us"),
    [(0, 0), (1, MINUTES.bucket_us), (2, HOURS.bucket_us), (3, DAYS.bucket_us)],
    ids=["nothing", "samples", "minutes", "hours"],
)
def test_where_finer_data_is_gone_the_next_coarser_tells_and_the_step_grows(gone: int, least_us: int) -> None:
    begins = [BEGIN_US + 30 * DAY_US if number < gone else BEGIN_US for number in range(4)]
    first_us, *rest = begins
    levels = dict(zip(LEVELS, rest, strict=True))
    sources = find_sources(start_us=BEGIN_US, first_us=first_us, levels=levels, hours=NONE)
    probe = Probe(rows=10, first_us=first_us, last_us=first_us + 9_000_000)

    reading = plan_reading(
        span=Span(start_us=BEGIN_US, end_us=BEGIN_US + 3 * DAY_US),
        points=5000,
        series=1,
        probe=probe,
        now_us=YEAR.end_us,
        sources=sources,
    )

    assert sources.least_us == least_us
    assert (reading.step_us or 0) >= least_us
    assert (reading.step_us is None) == (least_us == 0)


def test_a_span_within_a_gap_is_told_of_by_samples_as_long_as_there_are_older_ones() -> None:
    levels = dict.fromkeys(LEVELS, BEGIN_US - DAY_US)

    kept = find_sources(start_us=BEGIN_US, first_us=BEGIN_US, levels=levels, hours=NONE)
    gone = find_sources(start_us=BEGIN_US, first_us=None, levels=levels, hours=NONE)

    assert kept.samples
    assert not gone.samples


def test_a_server_that_has_nothing_keeps_no_other_from_its_levels() -> None:
    nothing = find_sources(start_us=BEGIN_US, first_us=None, levels={}, hours=NONE)
    old = find_sources(start_us=BEGIN_US, first_us=None, levels={HOURS: BEGIN_US, DAYS: BEGIN_US}, hours=NONE)

    both = nothing.both(old)

    assert not both.samples
    assert list(both.levels) == [HOURS, DAYS]


def test_a_year_of_hours_is_no_more_than_one_call_reads() -> None:
    probe = Probe(rows=5001, first_us=YEAR.start_us, last_us=YEAR.start_us + 5000 * 1_000_000)
    sources = Sources(levels=LEVELS, first_us=YEAR.start_us)

    reading = plan_reading(span=YEAR, points=5000, series=100, probe=probe, now_us=YEAR.end_us, sources=sources)

    assert reading.level is HOURS

"""How large the database will become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.stats.forecast import DAY_S, Growth, Kind, Piece, days_until, forecast, growth

HOUR_S = 3600.0
GIB = 2**30


def kind(*pieces: Piece, lifetime_days: float = 30, from_s: float = 0.0, until_s: float = 100 * DAY_S) -> Kind:
    return Kind(table="t", pieces=pieces, lifetime_s=lifetime_days * DAY_S, from_s=from_s, until_s=until_s)


def day(number: int, size_bytes: int) -> Piece:
    return Piece(number * DAY_S, (number + 1) * DAY_S, size_bytes)


def grows(*, now: int, per_day: float, lifetime_days: float) -> Growth:
    """A kind that has so much now and grows so fast."""
    held = kind(Piece(0, DAY_S, now), lifetime_days=lifetime_days)
    return Growth(kind=held, bytes_per_day=per_day, measured_s=DAY_S)


def test_growth_is_what_the_newest_day_holds() -> None:
    found = growth(kind(day(0, 5), day(1, 10), day(2, 70), until_s=3 * DAY_S))

    assert (found.bytes_per_day, found.measured_s) == (70, DAY_S)


def test_a_day_that_is_not_over_counts_for_its_hours_and_is_filled_up_with_the_day_before() -> None:
    found = growth(kind(day(0, 24), day(1, 12), until_s=DAY_S + 6 * HOUR_S))

    assert found.measured_s == 30 * HOUR_S
    assert found.bytes_per_day == pytest.approx(36 * 24 / 30)


def test_the_first_day_counts_from_its_first_hour() -> None:
    found = growth(kind(day(0, 100), from_s=20 * HOUR_S, until_s=22 * HOUR_S))

    assert found.bytes_per_day == pytest.approx(1200)
    assert found.measured_s == 2 * HOUR_S


def test_a_chunk_of_many_days_counts_for_those_that_it_holds() -> None:
    found = growth(kind(Piece(0, 3650 * DAY_S, 400), from_s=2 * DAY_S, until_s=10 * DAY_S))

    assert (found.bytes_per_day, found.measured_s) == (50, 8 * DAY_S)


def test_less_than_an_hour_says_nothing() -> None:
    found = growth(kind(day(0, 100), from_s=1000, until_s=1000 + HOUR_S - 1))

    assert (found.measured_s, found.to_come_bytes, found.final_bytes) == (0, 0, 100)


def test_chunks_of_what_is_not_sealed_yet_count_nothing() -> None:
    found = growth(kind(day(1, 30), day(5, 999), until_s=2 * DAY_S))

    assert found.bytes_per_day == 30


def test_the_end_is_growth_times_lifetime_and_what_does_not_grow() -> None:
    found = forecast(
        [kind(day(99, 10), lifetime_days=30), kind(day(99, 3), lifetime_days=365)], total_bytes=1013, free_bytes=None
    )

    assert found is not None
    assert found.bytes_per_day == 13
    assert found.final_bytes == 1000 + 10 * 30 + 3 * 365
    assert found.days_to_final == 364
    assert found.days_until_full is None


def test_without_an_hour_of_data_there_is_no_forecast() -> None:
    assert forecast([kind()], total_bytes=10, free_bytes=10) is None


def test_a_kind_without_data_stays_as_it_is_beside_one_that_grows() -> None:
    found = forecast([kind(day(99, 10)), kind()], total_bytes=10, free_bytes=100)

    assert found is not None
    assert found.final_bytes == 300
    assert [part.measured_s for part in found.parts] == [DAY_S, 0]


def test_a_kind_as_old_as_it_may_become_grows_no_more() -> None:
    found = forecast([kind(*(day(number, 10) for number in range(70, 100)))], total_bytes=300, free_bytes=5)

    assert found is not None
    assert (found.final_bytes, found.days_to_final, found.days_until_full) == (300, 0, None)


@pytest.mark.parametrize(
    ("free", "days"),
    [(0, 0.0), (10, 1.0), (55, 5.5), (100, 10.0), (101, None)],
)
def test_the_disk_is_full_when_the_free_space_is_used_up(free: int, days: float | None) -> None:
    assert days_until([grows(now=0, per_day=10, lifetime_days=10)], free) == days


def test_growth_slows_down_as_one_kind_after_the_other_is_as_old_as_it_may_become() -> None:
    parts = [grows(now=0, per_day=1, lifetime_days=100), grows(now=0, per_day=9, lifetime_days=5)]

    assert days_until(parts, 50) == 5
    assert days_until(parts, 60) == 15
    assert days_until(parts, 145) == 100
    assert days_until(parts, 146) is None


@given(
    parts=st.lists(
        st.builds(
            grows,
            now=st.integers(0, GIB),
            per_day=st.floats(1, GIB),
            lifetime_days=st.floats(0.1, 4000),
        ),
        min_size=1,
        max_size=5,
    ),
    share=st.floats(0.001, 0.999),
)
def test_after_the_days_told_exactly_the_free_space_has_come(parts: list[Growth], share: float) -> None:
    to_come = sum(part.to_come_bytes for part in parts)
    if to_come < 1:
        return
    days = days_until(parts, to_come * share)

    assert days is not None
    assert sum(min(part.to_come_bytes, part.bytes_per_day * days) for part in parts) == pytest.approx(
        to_come * share, rel=1e-6
    )

"""What is handed in late: never a moment twice, all of it past, and again and again of an hour that is long over."""

import itertools

from tests.chaos.load.past import BACK_EVERY, LATE_EVERY_S, PACE, late_times

HOUR_US = 3_600_000_000
NOW_US = 500_000 * HOUR_US + 1


def test_no_moment_comes_twice_and_all_are_past() -> None:
    times = list(late_times(now_us=NOW_US, past_s=3 * 3600))

    assert len(set(times)) == len(times) == 3 * 3600 / (LATE_EVERY_S * PACE)
    assert min(times) >= NOW_US - 3 * HOUR_US
    assert max(times) < NOW_US


def test_it_goes_on_through_the_hours_and_back_to_the_beginning_at_times() -> None:
    times = list(late_times(now_us=NOW_US, past_s=3 * 3600))
    steps = [after - before for before, after in itertools.pairwise(times)]
    back = [time_us for time_us in times[BACK_EVERY:] if time_us - times[0] < HOUR_US / 60]

    assert sum(step < 0 for step in steps) == len(times) // BACK_EVERY
    assert len(back) == len(times) // BACK_EVERY - 1


def test_who_is_never_late_has_no_past() -> None:
    assert list(late_times(now_us=NOW_US, past_s=0)) == []

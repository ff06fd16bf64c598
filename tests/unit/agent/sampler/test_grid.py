"""Stored samples fall on a fixed grid."""

from hypothesis import given
from hypothesis import strategies as st

from agent.sampler.grid import next_tick

S = 1_000_000_000
MOMENTS = st.integers(min_value=0, max_value=2**62)


def test_stored_samples_stand_on_multiples_of_the_interval() -> None:
    tick = next_tick(now_ns=1003 * S, last_ns=0, interval_ns=5 * S, live_interval_ns=None)

    assert (tick.time_ns, tick.stored) == (1005 * S, True)


def test_while_somebody_watches_there_are_samples_between_that_are_not_stored() -> None:
    ticks = []
    last = 1000 * S
    for _ in range(6):
        tick = next_tick(now_ns=last, last_ns=last, interval_ns=5 * S, live_interval_ns=S)
        ticks.append((tick.time_ns // S, tick.stored))
        last = tick.time_ns

    assert ticks == [(1001, False), (1002, False), (1003, False), (1004, False), (1005, True), (1006, False)]


def test_a_live_interval_as_long_as_the_stored_one_adds_nothing() -> None:
    assert next_tick(now_ns=0, last_ns=0, interval_ns=S, live_interval_ns=S).stored


def test_time_that_went_back_waits_for_the_last_sample_to_be_passed() -> None:
    tick = next_tick(now_ns=1000 * S, last_ns=2000 * S, interval_ns=5 * S, live_interval_ns=S)

    assert tick.time_ns == 2001 * S


@given(now=MOMENTS, last=MOMENTS, interval_s=st.integers(1, 300), live_s=st.none() | st.integers(1, 10))
def test_ticks_come_after_now_and_after_the_last_and_stored_ones_lie_on_the_grid(
    now: int, last: int, interval_s: int, live_s: int | None
) -> None:
    live_ns = None if live_s is None else live_s * S
    tick = next_tick(now_ns=now, last_ns=last, interval_ns=interval_s * S, live_interval_ns=live_ns)

    assert tick.time_ns > max(now, last)
    assert tick.time_ns - max(now, last) <= interval_s * S
    assert tick.stored == (tick.time_ns % (interval_s * S) == 0)

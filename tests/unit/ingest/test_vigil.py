"""When something is due on a stream: pings only when it is quiet, and its end."""

from dataclasses import replace

import pytest

from services.ingest.streams.times import StreamTimes
from services.ingest.streams.vigil import Due, Vigil

TIMES = StreamTimes()


def _walk(vigil: Vigil, *, until_s: float, heard_every_s: float = 0, said_every_s: float = 0) -> list[tuple[int, Due]]:
    """What is due, second by second, on a stream on which something is heard and said so often."""
    due: list[tuple[int, Due]] = []
    for now_s in range(1, int(until_s) + 1):
        if heard_every_s and now_s % heard_every_s == 0:
            vigil.heard_at_s = now_s
        if said_every_s and now_s % said_every_s == 0:
            vigil.said_at_s = now_s
        if now_s < vigil.next_s:
            assert vigil.due(now_s) is Due.NOTHING
        elif (what := vigil.due(now_s)) is not Due.NOTHING:
            due.append((now_s, what))
    return due


def test_a_busy_stream_is_pinged_once_a_minute_for_the_state_of_its_spool() -> None:
    vigil = Vigil(times=TIMES, now_s=0, lifetime_s=1000)

    assert _walk(vigil, until_s=200, heard_every_s=5, said_every_s=5) == [
        (60, Due.PING),
        (120, Due.PING),
        (180, Due.PING),
    ]


def test_a_stream_to_which_nothing_is_said_is_pinged_every_15_s() -> None:
    vigil = Vigil(times=TIMES, now_s=0, lifetime_s=1000)

    assert _walk(vigil, until_s=50, heard_every_s=5) == [(15, Due.PING), (30, Due.PING), (45, Due.PING)]


def test_a_stream_on_which_nothing_is_heard_is_pinged_and_then_given_up() -> None:
    vigil = Vigil(times=TIMES, now_s=0, lifetime_s=1000)

    assert _walk(vigil, until_s=30, said_every_s=5) == [(15, Due.PING), (30, Due.GIVE_UP)]


def test_a_stream_leaves_once_at_the_end_of_its_life() -> None:
    vigil = Vigil(times=replace(TIMES, spool_every_s=10_000), now_s=0, lifetime_s=20)

    assert _walk(vigil, until_s=100, heard_every_s=1, said_every_s=1) == [(20, Due.LEAVE)]


@pytest.mark.parametrize("gap_s", [1, 14, 16, 29])
def test_nothing_is_due_before_the_moment_that_was_told(gap_s: int) -> None:
    vigil = Vigil(times=TIMES, now_s=0, lifetime_s=500)
    _walk(vigil, until_s=gap_s)

    assert vigil.due(vigil.next_s - 0.001) is Due.NOTHING
    assert vigil.due(vigil.next_s) is not Due.NOTHING

"""Moments of the past that an agent hands in late: hours that are over, and some that are sealed already. Pure."""

import itertools
from collections.abc import Iterator

LATE_EVERY_S = 5.0
PACE = 3  # so many times as fast as time itself: what began three hours ago is nearly here after one
BACK_EVERY = 50  # samples, of which one is of the very beginning: that hour has long been over when it comes


def late_times(*, now_us: int, past_s: float) -> Iterator[int]:
    """The moments in the order in which they are handed in, each once and all before `now_us`.

    They begin `past_s` seconds ago, in microseconds since the Unix epoch; 0: there are none.
    """
    began_us = now_us - int(past_s * 1e6)
    step_us = int(LATE_EVERY_S * PACE * 1e6)
    for number in itertools.count():
        time_us = began_us + number * step_us
        if time_us >= now_us:
            return
        yield began_us + number if number % BACK_EVERY == BACK_EVERY - 1 else time_us

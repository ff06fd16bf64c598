"""Taking leave: how long a process waits for agents that are on their way to it, and when they shall come back."""

import asyncio
import random

import pytest

from services.ingest.streams.farewells import Farewells
from services.ingest.streams.times import StreamTimes

TIMES = StreamTimes(quiet_s=0.5, linger_s=2.0, reconnect_within_s=1.0)


class _Clock:
    """A clock that goes on by waiting."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def boottime_s(self) -> float:
        return self.now_s

    def time_unix_nano(self) -> int:
        return int(self.now_s * 1e9)

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


def _farewells(clock: _Clock) -> Farewells:
    return Farewells(times=TIMES, rng=random.Random(1), clock=clock)


async def _lingered_s(farewells: Farewells, clock: _Clock) -> float:
    began_s = clock.now_s
    await farewells.over()
    return clock.now_s - began_s


async def test_where_no_agent_is_or_was_nobody_is_waited_for() -> None:
    clock = _Clock()
    farewells = _farewells(clock)
    farewells.begin([])

    assert await _lingered_s(farewells, clock) == 0


async def test_who_may_still_be_on_the_way_is_waited_for() -> None:
    clock = _Clock()
    farewells = _farewells(clock)
    farewells.begin(["a"])

    assert await _lingered_s(farewells, clock) == pytest.approx(0.5)


async def test_an_agent_that_came_just_before_may_not_be_the_last() -> None:
    clock = _Clock()
    farewells = _farewells(clock)
    farewells.came()
    clock.now_s += 0.2
    farewells.begin([])

    assert await _lingered_s(farewells, clock) == pytest.approx(0.3)


@pytest.mark.parametrize(("comes_every_s", "lingers_s"), [(0.6, 0.5), (0.4, 2.0), (0.01, 2.0)])
async def test_whoever_comes_prolongs_it_but_not_without_end(comes_every_s: float, lingers_s: float) -> None:
    clock = _Clock()
    farewells = _farewells(clock)
    farewells.begin(["a"])
    sleep, next_s = clock.sleep, clock.now_s + comes_every_s

    async def sleep_while_they_come(seconds: float) -> None:
        nonlocal next_s
        until_s = clock.now_s + seconds
        while next_s <= until_s:
            await sleep(next_s - clock.now_s)
            farewells.came()
            next_s += comes_every_s
        await sleep(until_s - clock.now_s)

    clock.sleep = sleep_while_they_come  # type: ignore[method-assign]

    assert await _lingered_s(farewells, clock) == pytest.approx(lingers_s)


def test_an_agent_that_comes_for_the_first_time_is_sent_on_at_once_and_one_that_was_sent_on_waits_for_the_end() -> None:
    clock = _Clock()
    farewells = _farewells(clock)
    farewells.begin(["drained"])
    clock.now_s += 0.5
    first = [farewells.drain(f"new-{number}").reconnect_after.ToNanoseconds() / 1e9 for number in range(50)]
    again = [farewells.drain(f"new-{number}").reconnect_after.ToNanoseconds() / 1e9 for number in range(50)]
    drained = farewells.drain("drained").reconnect_after.ToNanoseconds() / 1e9

    assert 0 <= min(first) < 0.2 < 0.8 < max(first) <= 1
    assert 1.5 <= min(again) < 1.7 < 2.3 < max(again) <= 2.5
    assert 1.5 <= drained <= 2.5

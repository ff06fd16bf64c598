"""Waits grow, stay bounded and differ."""

import random

from flick.backoff import Backoff


class HighestRoll(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


def backoff(rng: random.Random, *, least: float = 0.0) -> Backoff:
    return Backoff(rng=rng, base_s=1.0, factor=1.6, cap_s=120.0, least=least)


def test_the_bound_grows_from_one_second_to_the_cap() -> None:
    waiting = backoff(HighestRoll())
    waits = [waiting.next_s() for _ in range(14)]

    assert waits[:4] == [1.0, 1.6, 2.5600000000000005, 4.096000000000001]
    assert waits[-1] == 120.0


def test_waits_are_spread_over_the_whole_span() -> None:
    waiting = backoff(random.Random(1))
    for _ in range(20):
        waiting.next_s()
    waits = [waiting.next_s() for _ in range(400)]

    assert min(waits) < 10
    assert max(waits) > 110
    assert 50 < sum(waits) / len(waits) < 70


def test_no_wait_is_shorter_than_the_least_share_of_its_bound() -> None:
    waiting = backoff(random.Random(1), least=0.5)
    for _ in range(20):
        waiting.next_s()
    waits = [waiting.next_s() for _ in range(400)]

    assert 60 <= min(waits) < max(waits) <= 120


def test_only_a_minute_of_health_begins_anew() -> None:
    waiting = backoff(HighestRoll())
    for _ in range(20):
        waiting.next_s()
    waiting.healthy(59.0)
    before = waiting.next_s()
    waiting.healthy(60.0)

    assert before == 120.0
    assert waiting.next_s() == 1.0


def test_the_longest_wait_is_at_least_the_cap() -> None:
    waits = [backoff(random.Random(seed)).longest_s() for seed in range(100)]

    assert min(waits) >= 120.0
    assert max(waits) <= 132.0

import random

from agent.uplink.backoff import Backoff


class HighestRoll(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


def test_the_bound_grows_from_one_second_to_the_cap() -> None:
    backoff = Backoff(rng=HighestRoll())
    waits = [backoff.next_s() for _ in range(14)]

    assert waits[:4] == [1.0, 1.6, 2.5600000000000005, 4.096000000000001]
    assert waits[-1] == 120.0


def test_waits_are_spread_over_the_whole_span() -> None:
    backoff = Backoff(rng=random.Random(1))
    for _ in range(20):
        backoff.next_s()
    waits = [backoff.next_s() for _ in range(400)]

    assert min(waits) < 10
    assert max(waits) > 110
    assert 50 < sum(waits) / len(waits) < 70


def test_only_a_minute_of_health_begins_anew() -> None:
    backoff = Backoff(rng=HighestRoll())
    for _ in range(20):
        backoff.next_s()
    backoff.healthy(59.0)
    before = backoff.next_s()
    backoff.healthy(60.0)

    assert before == 120.0
    assert backoff.next_s() == 1.0


def test_a_refused_agent_waits_at_least_the_cap() -> None:
    waits = [Backoff(rng=random.Random(seed)).longest_s() for seed in range(100)]

    assert min(waits) >= 120.0
    assert max(waits) <= 132.0

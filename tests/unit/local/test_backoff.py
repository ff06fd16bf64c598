"""Waits between restarts grow, stay bounded and differ."""

import random

from deploy.local.supervision.backoff import BASE_S, CAP_S, HEALTHY_AFTER_S, Backoff


def test_waits_grow_to_the_cap_and_carry_jitter() -> None:
    backoff = Backoff(randomness=random.Random(1))
    waits = [backoff.next_s(ran_s=0) for _ in range(40)]

    assert BASE_S / 2 <= waits[0] <= BASE_S
    assert all(CAP_S / 2 <= wait <= CAP_S for wait in waits[8:])
    assert len(set(waits[8:])) > 20


def test_a_part_that_was_healthy_for_long_begins_anew() -> None:
    backoff = Backoff(randomness=random.Random(1))
    for _ in range(5):
        backoff.next_s(ran_s=0)

    assert backoff.next_s(ran_s=HEALTHY_AFTER_S) <= BASE_S

"""How much a live socket may say."""

from gateway.live.allowance import Allowance


def test_a_burst_is_allowed_and_then_so_many_a_second() -> None:
    allowance = Allowance(burst=3, per_s=0.5)

    assert [allowance.spend(now_s=10.0) for _ in range(4)] == [True, True, True, False]
    assert [allowance.spend(now_s=12.0) for _ in range(2)] == [True, False]


def test_what_is_not_spent_does_not_pile_up() -> None:
    allowance = Allowance(burst=2, per_s=1)
    allowance.spend(now_s=0.0)

    assert [allowance.spend(now_s=1000.0) for _ in range(3)] == [True, True, False]

"""The set of things that have series is bounded and steady."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.roster import Roster


def roster(*, most: int = 3, wait_s: float = 60.0, keep_s: float = 600.0) -> Roster:
    return Roster(most=most, wait_s=wait_s, keep_s=keep_s)


def test_what_is_there_at_first_comes_in_at_once_and_in_order() -> None:
    assert roster().update(["b", "a"], now_s=0) == ("a", "b")


def test_at_first_the_most_important_come_in() -> None:
    assert roster(most=2).update(["z", "y", "a"], now_s=0) == ("y", "z")


def test_what_comes_later_waits() -> None:
    found = roster()
    found.update(["a"], now_s=0)

    assert [found.update(["a", "b"], now_s=now_s) for now_s in (30, 60, 89, 90)] == [("a",)] * 3 + [("a", "b")]


def test_what_lives_shortly_never_comes_in_however_often_it_comes() -> None:
    found = roster()
    found.update(["a"], now_s=0)
    told = [found.update(["a", "job"] if now_s % 60 < 30 else ["a"], now_s=now_s) for now_s in range(30, 600, 15)]

    assert set(told) == {("a",)}


def test_what_has_gone_stays_for_a_while() -> None:
    found = roster(keep_s=60)
    found.update(["a", "b"], now_s=0)

    assert [found.update(["a"], now_s=now_s) for now_s in (30, 60, 61)] == [("a", "b"), ("a", "b"), ("a",)]


def test_without_room_the_more_important_waits_until_all_are_ranked_anew() -> None:
    found = roster(most=2)
    found.update(["a", "b"], now_s=0)

    assert found.update(["new", "a", "b"], now_s=100) == ("a", "b")
    assert found.update(["new", "a", "b"], now_s=3599) == ("a", "b")
    assert found.update(["new", "a", "b"], now_s=3600) == ("a", "new")


looks = st.lists(
    st.tuples(st.lists(st.sampled_from("abcdef"), unique=True), st.floats(0, 4000)), min_size=1, max_size=20
)


@given(looks, st.integers(1, 4))
def test_it_is_never_larger_than_it_may_be_and_never_lets_in_what_was_not_there(
    seen: list[tuple[list[str], float]], most: int
) -> None:
    found, now_s, ever = roster(most=most), 0.0, set[str]()
    for present, passed_s in seen:
        now_s += passed_s
        ever |= set(present)
        names = found.update(present, now_s=now_s)

        assert len(names) <= most
        assert list(names) == sorted(set(names))
        assert set(names) <= ever


@pytest.mark.parametrize("most", [1, 2])
def test_what_stays_there_is_never_thrown_out_within_the_hour(most: int) -> None:
    found = roster(most=most)
    first = found.update(["a", "b", "c"], now_s=0)

    assert {found.update(["c", "b", "a"], now_s=now_s) for now_s in range(30, 3600, 30)} == {first}

"""An agent that holds too much memory gives back what is free, then lets collectors go as far as that helps."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.budget.absences import KEPT, LOOKED_EVERY_S
from agent.budget.budget import Budget
from agent.budget.memory import HELPED_BYTES, MemoryBudget
from agent.budget.resident import give_back, resident_bytes
from agent.collection import Collection
from agent.collectors.collector import Measured, Moment
from agent.spool.limits import IN_MEMORY, MIB, limits_in_memory
from flick.v1 import catalog_pb2 as catalog

MOST = 50_000_000
WEIGHTS = {"cpu": 900, "custom": 500, "containers": 300, "network": 20, "gpu": 0}


class Host:
    """An agent that holds `base` and, of each collector that is there, what it holds."""

    def __init__(self, *, base: int, holds: Mapping[str, int]) -> None:
        self.budget = MemoryBudget(most_bytes=MOST)
        self.base = base
        self.holds = holds
        self.minute = 0
        self.given_back = 0

    def pass_minute(self) -> set[str]:
        """Who is away after it."""
        resident = self.base + sum(size for name, size in self.holds.items() if name not in self.budget.shed)
        now_s = self.minute * LOOKED_EVERY_S
        assert self.budget.is_due(now_s)
        self.given_back += self.budget.look(now_s, resident_bytes=resident, weights=WEIGHTS)
        self.minute += 1
        return set(self.budget.shed)

    def pass_minutes(self, count: int) -> list[set[str]]:
        return [self.pass_minute() for _ in range(count)]


def test_within_the_budget_nothing_is_let_go() -> None:
    host = Host(base=MOST, holds={})

    assert host.pass_minutes(20) == [set()] * 20
    assert host.given_back == 0


def test_what_is_free_is_given_back_before_a_collector_goes() -> None:
    host = Host(base=MOST + 1, holds={})

    assert host.pass_minute() == set()
    assert host.given_back == 1
    host.base = MOST
    assert host.pass_minutes(5) == [set()] * 5


def test_the_heaviest_go_one_a_minute_and_no_more_than_it_takes() -> None:
    host = Host(base=MOST - 1_000_000, holds={"custom": 2_000_000, "containers": 5_000_000, "network": 500_000})

    assert host.pass_minutes(5) == [set(), {"custom"}, *[{"custom", "containers"}] * 3]
    assert host.budget.remark == ""


def test_the_reason_tells_the_numbers() -> None:
    host = Host(base=MOST, holds={"custom": 4_100_000})
    host.pass_minutes(2)

    assert host.budget.shed == {"custom": "left out to save memory: the agent holds 54.1 MB of the 50.0 MB that it may"}


def test_who_went_for_nothing_comes_back_at_once_and_is_left_alone() -> None:
    host = Host(base=MOST + 1_000_000, holds={"custom": HELPED_BYTES - 1})
    away = host.pass_minutes(10)

    assert away == [set(), {"custom"}, {"containers"}, {"network"}, *[set()] * 6]
    assert host.budget.remark == (
        "the agent holds 51.3 MB of the 50.0 MB that it may, and to leave out collectors does not change that"
    )


def test_what_everybody_asks_for_and_what_holds_nothing_never_goes() -> None:
    host = Host(base=MOST * 2, holds={})
    tried = set.union(*host.pass_minutes(100))

    assert tried == {"custom", "containers", "network"}
    assert tried.isdisjoint(KEPT)


def test_who_is_away_comes_back_and_stays_away_for_twice_as_long_the_next_time() -> None:
    host = Host(base=MOST - 1_000_000, holds={"custom": 2_000_000})
    told = "".join("x" if away else "." for away in host.pass_minutes(60))

    assert told == "." + "x" * 10 + ".." + "x" * 20 + ".." + "x" * 25


def test_the_remark_goes_when_the_budget_is_held_again() -> None:
    host = Host(base=MOST + 1, holds={})
    host.pass_minutes(10)
    remarked, host.base = host.budget.remark, MOST
    host.pass_minute()

    assert remarked
    assert host.budget.remark == ""


@given(st.lists(st.integers(0, 2 * MOST), min_size=1, max_size=300))
def test_whatever_is_held_nobody_goes_who_is_kept_and_little_changes_at_once(held: list[int]) -> None:
    host = Host(base=0, holds={})
    before: set[str] = set()
    for host.base in held:
        away = host.pass_minute()

        assert away.isdisjoint(KEPT)
        assert len(away - before) <= 1
        assert len(before - away) <= 1
        before = away


def test_trials_of_what_does_not_help_become_rare() -> None:
    host = Host(base=MOST * 2, holds={})
    day = host.pass_minutes(24 * 60)
    trials = sum(bool(away) for away in day)

    assert trials <= 3 * 8  # 10, 20, 40, ... minutes apart


class Wide:
    """A collector with many series."""

    name = "wide"
    made = 0

    def __init__(self) -> None:
        Wide.made += 1
        self.closed = False

    def collect(self, moment: Moment) -> Measured:
        series = tuple((catalog.METRIC_FAN_SPEED, ("chip", str(number))) for number in range(100))
        return Measured(series=series, values=[1.0] * 100)

    def close(self) -> None:
        self.closed = True


class Plain(Wide):
    """One with few, which was there before."""

    name = "plain"

    def collect(self, moment: Moment) -> Measured:
        return Measured(series=((catalog.METRIC_FAN_SPEED, ("chip", "x")),), values=[2.0])


def test_a_collector_that_goes_takes_its_series_with_it_is_told_and_comes_back_in_its_place() -> None:
    held, given_back = MOST, list[int]()
    memory = MemoryBudget(most_bytes=MOST)
    wide = Wide()
    collection = Collection(
        collectors=[wide, Plain()],
        budget=Budget(memory=memory, resident_bytes=lambda: held, give_back=lambda: given_back.append(held)),
        anew=lambda: [Wide(), Plain()],
    )

    def collect(minute: int) -> tuple[int, list[str]]:
        at_s = minute * LOOKED_EVERY_S
        readings = collection.collect(Moment(monotonic_s=at_s, boottime_s=at_s))
        return len(readings.series), [one.collector for one in collection.failing]

    assert collect(0) == (101, [])
    held = MOST + 1
    assert [collect(minute) for minute in (1, 2)] == [(101, [])] * 2
    held = MOST - HELPED_BYTES
    away = [collect(minute) for minute in range(3, 13)]
    assert away == [(1, ["wide"])] * 10
    assert wide.closed
    assert given_back == [MOST + 1, MOST - HELPED_BYTES]
    assert collect(13) == (101, [])
    values = collection.collect(Moment(monotonic_s=14 * LOOKED_EVERY_S, boottime_s=0)).values
    assert list(values[-2:]) == [1.0, 2.0]


def test_a_budget_that_can_not_be_held_is_told_as_failing_until_it_is() -> None:
    held = 2 * MOST
    budget = Budget(memory=MemoryBudget(most_bytes=MOST), resident_bytes=lambda: held, give_back=lambda: None)
    collection = Collection(collectors=[], budget=budget)

    def failing(minute: int) -> list[str]:
        collection.collect(Moment(monotonic_s=minute * LOOKED_EVERY_S, boottime_s=0))
        return [one.collector for one in collection.failing]

    assert [failing(minute) for minute in range(4)] == [[], [], ["memory budget"], ["memory budget"]]
    held = MOST
    assert [failing(minute) for minute in (4, 5)] == [["memory budget"], []]


def test_where_it_is_not_told_how_much_is_held_nothing_goes() -> None:
    def unknown() -> int:
        raise OSError

    collection = Collection(collectors=[Wide()], budget=Budget(resident_bytes=unknown))
    counts = [len(collection.collect(Moment(minute * LOOKED_EVERY_S, 0)).series) for minute in range(5)]

    assert counts == [100] * 5


def test_what_is_resident_is_measured_and_what_is_free_given_back() -> None:
    before = resident_bytes()
    held = [bytes([1]) * 100_000 for _ in range(200)]
    grown = resident_bytes()
    del held
    give_back()

    assert grown - before > 10_000_000
    assert grown - resident_bytes() > 10_000_000


@pytest.mark.parametrize(
    ("budget", "most"),
    [(16 * MIB, MIB), (45_000_000, MIB), (51_000_000, 3_000_000), (80 * MIB, 8 * MIB), (10**12, 8 * MIB)],
)
def test_the_spool_in_memory_takes_half_of_what_the_budget_leaves(budget: int, most: int) -> None:
    assert limits_in_memory(budget).max_bytes == most
    assert most <= IN_MEMORY.max_bytes

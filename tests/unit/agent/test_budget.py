"""Collectors that take too much processor time are shed, the costliest first, and come back."""

from hypothesis import given
from hypothesis import strategies as st

from agent.budget.absences import AWAY_AT_MOST_S, AWAY_FOR_S, KEPT, LOOKED_EVERY_S
from agent.budget.budget import Budget
from agent.budget.cpu import CpuBudget
from agent.collection import Collection
from agent.collectors.collector import Measured, Moment
from flick.v1 import catalog_pb2 as catalog


def spend(budget: CpuBudget, shares: dict[str, float], *, minute: int) -> set[str]:
    """A minute in which collectors took these shares of a processor, unless they are shed; who is shed after it."""
    if minute == 1:
        budget.look(0)
    for name, share in shares.items():
        if name not in budget.shed:
            budget.spend(name, share * LOOKED_EVERY_S)
    budget.look(minute * LOOKED_EVERY_S)
    return set(budget.shed)


def test_within_the_budget_nothing_is_shed() -> None:
    assert spend(CpuBudget(share=0.05), {"processes": 0.04, "cpu": 0.01}, minute=1) == set()


def test_the_costliest_go_first_and_no_more_than_it_takes() -> None:
    shares = {"services": 0.02, "processes": 0.06, "containers": 0.03, "network": 0.01}

    assert spend(CpuBudget(share=0.05), shares, minute=1) == {"processes", "containers"}


def test_the_reason_tells_the_numbers() -> None:
    budget = CpuBudget(share=0.05)
    spend(budget, {"processes": 0.06, "network": 0.01}, minute=1)

    assert budget.shed == {
        "processes": "left out to save processor time: it took 6.0% of a processor, all together 7.0% "
        "of the 5.0% that they may"
    }


def test_what_everybody_asks_for_is_never_shed() -> None:
    assert spend(CpuBudget(share=0.01), dict.fromkeys(KEPT, 0.5), minute=1) == set()


def test_what_is_shed_comes_back_and_stays_away_for_twice_as_long_when_it_is_shed_again() -> None:
    budget = CpuBudget(share=0.05)
    told = [spend(budget, {"processes": 0.06}, minute=minute) for minute in range(1, 40)]
    away = "".join("x" if shed else "." for shed in told)

    assert away == "x" * 10 + "." + "x" * 20 + "." + "x" * 7
    assert AWAY_FOR_S / LOOKED_EVERY_S == 10


def test_it_never_stays_away_for_more_than_a_day() -> None:
    budget = CpuBudget(share=0.05)
    told = [spend(budget, {"processes": 0.06}, minute=minute) for minute in range(1, 10_000)]
    longest = max(map(len, "".join("x" if shed else "." for shed in told).split(".")))

    assert longest == AWAY_AT_MOST_S / LOOKED_EVERY_S


@given(
    st.lists(st.dictionaries(st.sampled_from(["cpu", "a", "b", "c", "d"]), st.floats(0, 1)), min_size=1, max_size=10)
)
def test_what_is_left_is_within_the_budget_unless_it_is_never_shed(minutes: list[dict[str, float]]) -> None:
    budget = CpuBudget(share=0.05)
    for minute, shares in enumerate(minutes, start=1):
        before = set(budget.shed)
        shed = spend(budget, shares, minute=minute)
        left = sum(share for name, share in shares.items() if name not in shed and name not in before)
        kept = sum(share for name, share in shares.items() if name in KEPT)

        assert shed.isdisjoint(KEPT)
        assert left <= max(0.05, kept) + 1e-9


class Busy:
    """A collector that takes what a test's budget is told it takes."""

    name = "busy"
    asked = 0

    def collect(self, moment: Moment) -> Measured:
        self.asked += 1
        return Measured(series=((catalog.METRIC_FAN_SPEED, ("a", "b")),), values=[1.0])

    def close(self) -> None:
        return


def test_a_collector_that_is_shed_is_not_asked_leaves_a_hole_and_is_told() -> None:
    budget, busy = CpuBudget(share=0.05), Busy()
    collection = Collection(collectors=[busy], budget=Budget(cpu=budget))
    before = collection.collect(Moment(monotonic_s=0, boottime_s=0))
    budget.spend("busy", 30)
    after = [collection.collect(Moment(monotonic_s=at_s, boottime_s=at_s)) for at_s in (60, 65)][-1]

    assert busy.asked == 2
    assert after.series is before.series
    assert str(after.values) == "[nan]"
    assert [(one.collector, one.since_s) for one in collection.failing] == [("busy", 65)]
    assert "left out to save processor time" in collection.failing[0].reason


def test_what_a_collector_takes_is_counted() -> None:
    class Working(Busy):
        def collect(self, moment: Moment) -> Measured:
            sum(range(2_000_000))
            return Measured()

    counted = dict[str, float]()

    class Counting(CpuBudget):
        def spend(self, collector: str, cpu_s: float) -> None:
            counted[collector] = cpu_s

    Collection(collectors=[Working()], budget=Budget(cpu=Counting())).collect(Moment(monotonic_s=0, boottime_s=0))

    assert counted["busy"] > 0.001

"""What took the most over many snapshots of processes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError, Kind
from flick.v1 import query_pb2, telemetry_pb2
from services.query.rules.top import Tally, check_limit, check_order

GIB = 1024**3


def packed(*processes: tuple[str, float, int]) -> bytes:
    """A snapshot of processes by name, processors and memory."""
    found = [
        telemetry_pb2.Process(
            pid=pid, name=name, user="root", command=f"/bin/{name}", cpu_utilization=cpu, memory_rss=rss
        )
        for pid, (name, cpu, rss) in enumerate(processes)
    ]
    return telemetry_pb2.ProcessSnapshot(processes=found).SerializeToString()


def test_averages_are_over_the_snapshots_in_which_a_process_was_seen() -> None:
    tally = Tally(by_memory=False)
    tally.add([packed(("a", 1.0, GIB)), packed(("a", 3.0, 2 * GIB), ("b", 0.5, 1)), packed()])

    first, second = tally.most(10)
    assert (first.name, first.user, first.command, first.snapshot_count) == ("a", "root", "/bin/a", 2)
    assert (first.cpu_utilization_average, first.cpu_utilization_maximum) == (2.0, 3.0)
    assert (first.memory_rss_average, first.memory_rss_maximum) == (1.5 * GIB, 2 * GIB)
    assert (second.name, second.snapshot_count) == ("b", 1)


def test_processes_of_the_same_program_user_and_command_line_are_added() -> None:
    tally = Tally(by_memory=False)
    tally.add([packed(("a", 1.0, 10), ("a", 0.5, 20)), packed(("a", 1.0, 10))])

    (found,) = tally.most(10)
    assert (found.snapshot_count, found.process_count_maximum) == (2, 2)
    assert (found.cpu_utilization_maximum, found.memory_rss_maximum) == (1.5, 30)
    assert found.cpu_utilization_average == 1.25


def test_what_ran_long_stands_before_what_ran_high_for_a_moment() -> None:
    snapshots = [packed(("steady", 1.0, 1)), packed(("steady", 1.0, 1), ("spike", 1.5, 1))]
    tally = Tally(by_memory=False)
    tally.add(snapshots)

    assert [one.name for one in tally.most(10)] == ["steady", "spike"]
    assert [one.name for one in tally.most(1)] == ["steady"]


def test_memory_orders_otherwise() -> None:
    tally = Tally(by_memory=True)
    tally.add([packed(("busy", 4.0, 1), ("large", 0.0, GIB))])

    assert [one.name for one in tally.most(10)] == ["large", "busy"]


def test_more_kinds_than_may_be_kept_are_told_and_the_greatest_stay() -> None:
    tally = Tally(by_memory=False, max_kept=100)
    for number in range(1000):
        tally.add([packed(("steady", 1.0, 1), (f"short-lived-{number}", 0.01, 1))])

    assert tally.incomplete
    assert (tally.most(1)[0].name, tally.most(1)[0].snapshot_count) == ("steady", 1000)
    assert len(tally.most(1000)) <= 100


@given(parts=st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8), st.integers(0, 99))), max_size=8))
def test_it_does_not_matter_in_which_parts_snapshots_come(parts: list[list[tuple[str, int, int]]]) -> None:
    snapshots = [packed(*[(name, cpu / 8, rss) for name, cpu, rss in one]) for one in parts]
    whole, single = Tally(by_memory=True), Tally(by_memory=True)
    whole.add(snapshots)
    for one in snapshots:
        single.add([one])

    assert whole.most(10) == single.most(10)


def test_a_damaged_snapshot_is_told() -> None:
    with pytest.raises(FlickError) as caught:
        Tally(by_memory=False).add([b"\xff"])

    assert caught.value.kind is Kind.DATA_LOSS


@pytest.mark.parametrize(("limit", "listed"), [(0, 20), (1, 1), (200, 200)])
def test_so_many_are_listed_as_asked(limit: int, listed: int) -> None:
    assert check_limit(limit) == listed


@pytest.mark.parametrize("limit", [-1, 201])
def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    with pytest.raises(FlickError, match="limit: must be 1 to 200"):
        check_limit(limit)


def test_an_unknown_order_is_refused() -> None:
    assert check_order(query_pb2.PROCESS_ORDER_MEMORY)
    with pytest.raises(FlickError, match="order_by: is 9"):
        check_order(9)  # type: ignore[arg-type]

"""Times strictly increase, and come right when the clock is corrected; gaps reach from sample to sample."""

from dataclasses import replace

from agent.spool.frame import BACKFILL
from flick.v1 import ingest_pb2
from tests.unit.agent.spool.spools import (
    LIMITS,
    MARK,
    Make,
    S,
    entry,
    span,
)


def test_a_told_gap_reaches_from_the_last_sample_to_the_next(make: Make) -> None:
    full = make(LIMITS)
    full.put(entry(10))
    full.lose(ingest_pb2.GAP_REASON_AGENT_STOPPED)
    full.lose(ingest_pb2.GAP_REASON_OVERLOADED, start_ns=12 * S)  # is part of it
    open_yet = full.frame(BACKFILL, 1)
    full.put(entry(40))
    gap = full.frame(BACKFILL, 1)

    assert open_yet is None
    assert gap is not None
    assert gap.loss is not None
    assert span(gap.loss) == (10, 40, 0)
    assert gap.loss.start_ns > 10 * S
    assert gap.loss.reason == ingest_pb2.GAP_REASON_AGENT_STOPPED
    assert full.frame(BACKFILL, 2) is None


def test_times_strictly_increase_whatever_is_put(make: Make) -> None:
    full = make(LIMITS)
    for second in (5, 4, 4):
        full.put(entry(second))
    times = [held.time_ns for held in full.everything()]

    assert times == sorted(set(times))
    assert times[0] == 5 * S


def test_samples_of_a_clock_that_was_wrong_are_moved_when_it_is_corrected(make: Make) -> None:
    full = make(LIMITS)
    full.begin(replace(MARK, corrected=False))
    for second in (1000, 2000):
        full.put(entry(second))
    full.settle(MARK, moved_ns=500 * S, now_ns=2600 * S)
    full.put(entry(2600))

    assert [held.time_ns / S for held in full.everything()] == [1500, 2500, 2600]


def test_samples_of_an_earlier_wrong_clock_keep_their_times_where_they_can(make: Make) -> None:
    full = make(LIMITS)
    full.begin(replace(MARK, corrected=False))
    full.put(entry(100))
    full.begin(replace(MARK, boot_id="next", corrected=False))
    full.put(entry(200))
    full.settle(replace(MARK, boot_id="next"), moved_ns=50 * S, now_ns=260 * S)

    assert [held.time_ns / S for held in full.everything()] == [100, 250]


def test_samples_of_an_earlier_clock_that_was_ahead_come_before_those_of_the_corrected_one(make: Make) -> None:
    full = make(LIMITS)
    full.begin(replace(MARK, corrected=False))
    for second in (90_000, 90_005):
        full.put(entry(second))
    full.begin(replace(MARK, boot_id="next", corrected=False))
    full.put(entry(90_010))
    full.settle(replace(MARK, boot_id="next"), moved_ns=-86_400 * S, now_ns=3_611 * S)
    times = [held.time_ns / S for held in full.everything()]

    assert times == [3604, 3609, 3610]


def test_a_gap_over_a_reboot_ends_where_the_corrected_samples_begin(make: Make) -> None:
    full = make(LIMITS)
    full.begin(MARK)
    full.put(entry(100))
    full.begin(replace(MARK, boot_id="next", corrected=False))
    full.lose(ingest_pb2.GAP_REASON_AGENT_STOPPED)
    full.put(entry(101))
    full.settle(replace(MARK, boot_id="next"), moved_ns=3600 * S, now_ns=3702 * S)
    gap = full.frame(BACKFILL, 1)

    assert gap is not None
    assert span(gap.loss) == (100, 3701, 0)

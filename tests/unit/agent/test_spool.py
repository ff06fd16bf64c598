"""What is not acked is kept, within bounds, and a loss is told as a gap: in memory and on disk alike."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.spool.frame import BACKFILL, LIVE
from agent.spool.spool import UnknownSeqError
from flick.v1 import ingest_pb2
from tests.unit.agent.spools import (
    LIMITS,
    MARK,
    SERIES,
    Make,
    S,
    adds_up,
    drain,
    entry,
    in_memory,
    on_disk,
    seconds,
    span,
    with_limits,
)


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return in_memory if request.param == "memory" else lambda limits: on_disk(tmp_path / "spool.db", limits)


def test_the_newest_go_to_the_live_lane_and_the_older_to_the_backfill_lane(make: Make) -> None:
    full = make(LIMITS)
    for second in range(1, 8):
        full.put(entry(second))

    assert seconds(full.frame(LIVE, 1)) == [5, 6, 7]
    assert seconds(full.frame(BACKFILL, 1)) == [1, 2, 3, 4]


def test_at_a_new_stream_everything_that_waited_is_backlog_and_the_next_sample_is_live(make: Make) -> None:
    full = make(LIMITS)
    for second in range(1, 4):
        full.put(entry(second))
    full.demote()
    full.put(entry(4))

    assert seconds(full.frame(LIVE, 1)) == [4]
    assert seconds(full.frame(BACKFILL, 1)) == [1, 2, 3]


def test_the_newest_of_the_backlog_goes_first(make: Make) -> None:
    full = make(LIMITS)
    for second in range(1, 11):
        full.put(entry(second))

    assert [seconds(frame) for frame in drain(full)] == [[7, 8, 9, 10], [3, 4, 5, 6], [1, 2]]


def test_a_backlog_frame_does_not_reach_over_what_the_live_lane_took(make: Make) -> None:
    full = make(LIMITS)
    for second in (1, 2):
        full.put(entry(second))
    full.frame(LIVE, 1)
    full.put(entry(3))

    assert [seconds(frame) for frame in drain(full)] == [[3]]
    assert seconds(full.frame(LIVE, 1)) == [1, 2]


def test_a_frame_keeps_its_seq_and_content_until_it_is_acked(make: Make) -> None:
    full = make(LIMITS)
    full.put(entry(1))
    first = full.frame(LIVE, 1)
    full.put(entry(2))
    full.demote()

    assert full.frame(LIVE, 1) == first
    assert full.position(LIVE) == 1
    full.ack(LIVE, 1)
    assert full.position(LIVE) == 2
    assert full.held() == 1


def test_an_ack_of_a_frame_that_was_never_handed_out_is_an_error(make: Make) -> None:
    full = make(LIMITS)
    full.put(entry(1))

    with pytest.raises(UnknownSeqError, match="never sent"):
        full.ack(LIVE, 1)
    with pytest.raises(UnknownSeqError):
        full.frame(LIVE, 5)


def test_an_ack_that_came_before_changes_nothing(make: Make) -> None:
    full = make(LIMITS)
    for second in (1, 2):
        full.put(entry(second))
        full.frame(LIVE, second)
    full.ack(LIVE, 2)
    full.ack(LIVE, 1)

    assert full.position(LIVE) == 3


def test_full_it_drops_the_oldest_and_a_gap_says_exactly_how_many(make: Make) -> None:
    full = make(LIMITS)
    for second in range(10, 310, 10):
        full.put(entry(second))
    gap = full.frame(BACKFILL, 1)

    assert gap is not None
    assert gap.loss is not None
    assert span(gap.loss) == (10, 110, 10)
    assert full.status().dropped_samples == 10
    assert gap.loss.reason == ingest_pb2.GAP_REASON_SPOOL_FULL
    assert adds_up(full)
    assert seconds(full.frame(BACKFILL, 2)) == [240, 250, 260, 270]


def test_what_is_too_old_is_dropped(make: Make) -> None:
    full = make(with_limits(max_age_ns=60 * S))
    for second in (1, 2, 62.5, 63):
        full.put(entry(second))
    gap = full.frame(BACKFILL, 1)

    assert gap is not None
    assert span(gap.loss) == (1, 62.5, 2)
    assert full.held() == 2


def test_by_a_clock_that_is_not_corrected_nothing_is_too_old(make: Make) -> None:
    full = make(with_limits(max_age_ns=60 * S))
    full.begin(MARK)
    full.put(entry(1))
    full.begin(replace(MARK, boot_id="next", corrected=False))
    full.put(entry(100_000))

    assert full.held() == 2


def test_a_sample_larger_than_the_whole_spool_leaves_a_gap_to_the_next(make: Make) -> None:
    full = make(LIMITS)
    full.put(entry(1, size=5000))
    before = full.frame(BACKFILL, 1)
    full.put(entry(2))
    gap = full.frame(BACKFILL, 1)

    assert before is None
    assert gap is not None
    assert span(gap.loss) == (1, 2, 1)


def test_many_separate_losses_become_one_when_there_are_too_many_to_keep_apart(make: Make) -> None:
    full = make(with_limits(losses=1, live_samples=1))
    for second in range(1, 60):
        full.put(entry(second))
        if second % 2 == 0:
            full.frame(LIVE, second // 2)
    gap = full.frame(BACKFILL, 1)

    assert gap is not None
    assert gap.loss is not None
    assert gap.loss.dropped == full.status().dropped_samples > 1


def test_what_is_on_its_way_is_never_dropped(make: Make) -> None:
    full = make(LIMITS)
    full.put(entry(1))
    full.frame(LIVE, 1)
    for second in range(2, 100):
        full.put(entry(second))

    assert seconds(full.frame(LIVE, 1)) == [1]


def test_a_frame_that_is_refused_a_third_time_becomes_a_gap_in_its_place(make: Make) -> None:
    full = make(LIMITS)
    for second in (1, 2):
        full.put(entry(second))
        full.frame(LIVE, second)
    full.refuse(LIVE, 1)
    full.refuse(LIVE, 1)
    twice = full.frame(LIVE, 1)
    full.refuse(LIVE, 1)
    frame = full.frame(LIVE, 1)

    assert seconds(twice) == [1]
    assert frame is not None
    assert frame.loss is not None
    assert span(frame.loss) == (1, 2, 1)
    assert frame.loss.reason == ingest_pb2.GAP_REASON_REFUSED
    assert seconds(full.frame(LIVE, 2)) == [2]
    assert full.status().refused_samples == 1
    assert adds_up(full)


def test_a_frame_that_is_too_large_is_split_once_and_its_parts_are_set_aside_after_that(make: Make) -> None:
    full = make(LIMITS)
    for second in range(1, 5):
        full.put(entry(second))
    full.demote()
    full.frame(BACKFILL, 1)
    full.split(BACKFILL, 1)
    parts = [seconds(full.frame(BACKFILL, seq)) for seq in (1, 2)]
    full.split(BACKFILL, 2)
    aside = full.frame(BACKFILL, 2)

    assert parts == [[1, 2], [3, 4]]
    assert aside is not None
    assert span(aside.loss)[2] == full.status().refused_samples == 2
    assert seconds(full.frame(BACKFILL, 1)) == [1, 2]
    assert adds_up(full)


def test_half_of_a_live_frame_that_is_too_large_goes_to_the_backlog(make: Make) -> None:
    full = make(LIMITS)
    for second in (1, 2):
        full.put(entry(second))
    full.frame(LIVE, 1)
    full.split(LIVE, 1)

    assert seconds(full.frame(LIVE, 1)) == [1]
    assert seconds(full.frame(BACKFILL, 1)) == [2]


def test_a_single_sample_that_is_too_large_is_set_aside(make: Make) -> None:
    full = make(LIMITS)
    full.put(entry(1))
    full.frame(LIVE, 1)
    full.split(LIVE, 1)
    full.put(entry(2))
    frame = full.frame(LIVE, 1)

    assert frame is not None
    assert frame.loss is not None
    assert frame.loss.reason == ingest_pb2.GAP_REASON_REFUSED
    assert seconds(full.frame(LIVE, 2)) == [2]


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


def test_the_same_set_of_series_keeps_its_number(make: Make) -> None:
    full = make(LIMITS)
    first, other = full.layout_id(SERIES), full.layout_id(SERIES[:1])

    assert full.layout_id(SERIES) == first != other
    assert full.layout_id(()) == 0
    assert [list(series.label_values) for series in full.layout(first).series] == [["0"], ["1"]]


def test_layouts_that_nothing_held_uses_are_forgotten(make: Make) -> None:
    full = make(LIMITS)
    kept = full.layout_id(SERIES)
    full.put(entry(1, layout_id=kept))
    numbers = [full.layout_id(((520, (f"eth{number}",)),)) for number in range(200)]

    assert full.layout(kept).layout_id == kept
    assert full.layout(numbers[-1]).layout_id == numbers[-1]
    with pytest.raises(KeyError):
        full.layout(numbers[0])


def test_the_status_tells_what_is_held_and_since_when(make: Make) -> None:
    full = make(LIMITS)
    for second in (7, 8):
        full.put(entry(second))
    status = full.status()
    drain(full)
    after = full.status()

    assert (status.held_samples, status.held_bytes, status.oldest_time.seconds) == (2, 200, 7)
    assert (after.held_samples, after.held_bytes, after.acked_samples) == (0, 0, 2)
    assert not after.HasField("oldest_time")


def test_what_another_spool_took_is_taken_over_with_its_counts(make: Make) -> None:
    full, other = make(LIMITS), in_memory()
    full.put(entry(1))
    other_layout = other.layout_id(SERIES[:1])
    full.layout_id(SERIES)
    other.put(entry(2))
    other.frame(LIVE, 1)
    other.ack(LIVE, 1)
    other.put(entry(3, layout_id=other_layout))
    other.frame(LIVE, 2)
    other.lose(ingest_pb2.GAP_REASON_OVERLOADED, start_ns=4 * S)
    other.put(entry(5))
    full.adopt(other)
    status, held = full.status(), list(full.everything())

    assert (status.taken_samples, status.acked_samples, status.held_samples) == (4, 1, 3)
    assert [one.time_ns / S for one in held] == [1, 3, 5]
    assert full.layout(held[1].layout_id).series == other.layout(other_layout).series
    assert [span(loss) for loss in full.losses()] == [(4, 5, 0)]

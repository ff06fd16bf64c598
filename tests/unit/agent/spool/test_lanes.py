"""What is not acked is kept, in memory and on disk alike: which frame it goes with, and what the spool tells of it."""

from dataclasses import replace

import pytest

from agent.spool.frame import BACKFILL, LIVE
from agent.spool.spool import UnknownSeqError
from flick.v1 import ingest_pb2
from tests.unit.agent.spool.spools import (
    LIMITS,
    MARK,
    SERIES,
    Make,
    S,
    adds_up,
    drain,
    entry,
    in_memory,
    seconds,
    span,
)


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


def test_a_sample_that_the_live_lane_waits_for_has_its_place_at_once(make: Make) -> None:
    full = make(LIMITS)
    asked = full.frame(LIVE, 1)
    full.put(entry(1))
    full.put(entry(2))
    first = full.frame(LIVE, 1)

    assert asked is None
    assert seconds(first) == [1]
    assert full.frame(LIVE, 1) == first
    assert seconds(full.frame(LIVE, 2)) == [2]
    assert full.frame(LIVE, 3) is None
    assert adds_up(full)


def test_a_place_given_at_once_keeps_its_content_when_the_clock_is_corrected(make: Make) -> None:
    full = make(LIMITS)
    full.begin(replace(MARK, corrected=False))
    full.frame(LIVE, 1)
    full.put(entry(1))
    full.settle(MARK, moved_ns=500 * S, now_ns=600 * S)

    assert seconds(full.frame(LIVE, 1)) == [501]


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

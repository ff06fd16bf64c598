"""What ingest refuses or finds too large is split or set aside, and later frames flow."""

from agent.spool.frame import BACKFILL, LIVE
from flick.v1 import ingest_pb2
from tests.unit.agent.spool.spools import (
    LIMITS,
    Make,
    adds_up,
    entry,
    seconds,
    span,
)


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

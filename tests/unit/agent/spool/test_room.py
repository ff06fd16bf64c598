"""When there is no room the oldest go, and a gap says exactly how many."""

from dataclasses import replace

from agent.spool.frame import BACKFILL, LIVE
from flick.v1 import ingest_pb2
from tests.unit.agent.spool.spools import (
    LIMITS,
    MARK,
    Make,
    S,
    adds_up,
    entry,
    seconds,
    span,
    with_limits,
)


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


def test_nothing_of_an_outage_as_long_as_the_limit_is_dropped_while_it_drains(make: Make) -> None:
    full = make(with_limits(max_age_ns=60 * S))
    for second in range(1, 62):
        full.put(entry(second, size=10))
    full.demote()
    drained = 0
    for seq in range(1, 17):  # frames of four samples; a new sample comes with each
        waits = full.frame(LIVE, seq)
        full.put(entry(61 + seq, size=10))
        live, backlog = full.frame(LIVE, seq), full.frame(BACKFILL, seq)
        drained += len(seconds(backlog))
        full.ack(LIVE, seq)
        full.ack(BACKFILL, seq)

        assert waits is None
        assert seconds(live) == [61 + seq]
    assert drained == 61
    assert full.status().dropped_samples == 0


def test_what_is_too_old_is_dropped_while_ingest_takes_nothing_of_what_is_new(make: Make) -> None:
    full = make(with_limits(max_age_ns=60 * S))
    full.put(entry(1))
    full.demote()
    full.frame(LIVE, 1)
    for second in (61, 62, 63):
        full.put(entry(second))

    assert full.status().dropped_samples == 1


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

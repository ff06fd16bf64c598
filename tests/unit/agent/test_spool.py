"""What is not acked is kept, within bounds, and a loss is told as a gap."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.spool.frame import BACKFILL, LIVE, Entry, Frame, Lane
from agent.spool.memory import MemorySpool, SpoolLimits
from agent.spool.spool import UnknownSeqError
from flick.v1 import ingest_pb2, telemetry_pb2

LIMITS = SpoolLimits(max_bytes=2000, live_samples=3, frame_samples=4, frame_bytes=500, losses=5)
SERIES = ((500, ("0",)), (500, ("1",)))


def spool(limits: SpoolLimits = LIMITS) -> MemorySpool:
    return MemorySpool(spool_id=uuid.uuid4(), limits=limits)


def entry(time_ns: int, *, size: int = 100) -> Entry:
    return Entry(time_ns=time_ns, layout_id=0, payload=b"x" * size)


def times(frame: Frame | None) -> Sequence[int]:
    assert frame is not None
    return [held.time_ns for held in frame.entries]


def test_the_newest_go_to_the_live_lane_and_the_older_to_the_backfill_lane() -> None:
    full = spool()
    for moment in range(1, 8):
        full.put(entry(moment))

    assert times(full.frame(LIVE, 1)) == [5, 6, 7]
    assert times(full.frame(BACKFILL, 1)) == [1, 2, 3, 4]


def test_at_a_new_stream_everything_that_waited_is_backlog_and_the_next_sample_is_live() -> None:
    full = spool()
    for moment in range(1, 4):
        full.put(entry(moment))
    full.demote()
    full.put(entry(4))

    assert times(full.frame(LIVE, 1)) == [4]
    assert times(full.frame(BACKFILL, 1)) == [1, 2, 3]


def test_a_frame_keeps_its_seq_and_content_until_it_is_acked() -> None:
    full = spool()
    full.put(entry(1))
    first = full.frame(LIVE, 1)
    full.put(entry(2))
    full.demote()

    assert full.frame(LIVE, 1) is first
    assert full.position(LIVE) == 1
    full.ack(LIVE, 1)
    assert full.position(LIVE) == 2
    assert full.held() == 1


def test_an_ack_of_a_frame_that_was_never_handed_out_is_an_error() -> None:
    full = spool()
    full.put(entry(1))

    with pytest.raises(UnknownSeqError, match="never sent"):
        full.ack(LIVE, 1)


def test_an_ack_that_came_before_changes_nothing() -> None:
    full = spool()
    for moment in (1, 2):
        full.put(entry(moment))
        full.frame(LIVE, moment)
    full.ack(LIVE, 2)
    full.ack(LIVE, 1)

    assert full.position(LIVE) == 3


def test_full_it_drops_the_oldest_and_a_gap_says_exactly_how_many() -> None:
    full = spool()
    for moment in range(1, 31):
        full.put(entry(moment * 10))
    gap = full.frame(BACKFILL, 1)

    assert gap is not None
    assert gap.loss is not None
    assert gap.loss.dropped == full.counts.dropped == 10
    assert (gap.loss.start_ns, gap.loss.end_ns) == (10, 110)
    assert gap.loss.reason == ingest_pb2.GAP_REASON_SPOOL_FULL
    assert times(full.frame(BACKFILL, 2)) == [110, 120, 130, 140]


def test_many_separate_losses_become_one_when_there_are_too_many_to_keep_apart() -> None:
    full = spool(replace(LIMITS, losses=1, live_samples=1))
    for moment in range(1, 60):
        full.put(entry(moment))
        if moment % 2 == 0:
            full.frame(LIVE, moment // 2)
    gap = full.frame(BACKFILL, 1)

    assert gap is not None
    assert gap.loss is not None
    assert gap.loss.dropped == full.counts.dropped > 1


def test_what_is_on_its_way_is_never_dropped() -> None:
    full = spool()
    full.put(entry(1))
    full.frame(LIVE, 1)
    for moment in range(2, 100):
        full.put(entry(moment))

    assert times(full.frame(LIVE, 1)) == [1]


def test_a_refused_frame_becomes_a_gap_in_its_place() -> None:
    full = spool()
    for moment in (1, 2):
        full.put(entry(moment))
        full.frame(LIVE, moment)
    full.refuse(LIVE, 1)
    frame = full.frame(LIVE, 1)

    assert frame is not None
    assert frame.loss is not None
    assert (frame.loss.start_ns, frame.loss.end_ns, frame.loss.dropped) == (1, 2, 1)
    assert frame.loss.reason == ingest_pb2.GAP_REASON_REFUSED
    assert times(full.frame(LIVE, 2)) == [2]


def test_what_waits_can_be_moved_in_time() -> None:
    full = spool()
    for moment in (1000, 2000):
        sample = telemetry_pb2.Sample(time_unix_nano=moment, core=[1.5])
        full.put(Entry(time_ns=moment, layout_id=0, payload=sample.SerializeToString()))
    full.move(500)
    frame = full.frame(LIVE, 1)

    assert times(frame) == [1500, 2500]
    assert frame is not None
    moved = [telemetry_pb2.Sample.FromString(held.payload) for held in frame.entries]
    assert [(sample.time_unix_nano, list(sample.core)) for sample in moved] == [(1500, [1.5]), (2500, [1.5])]


def test_the_same_set_of_series_keeps_its_number() -> None:
    full = spool()
    first, other = full.layout_id(SERIES), full.layout_id(SERIES[:1])

    assert full.layout_id(SERIES) == first != other
    assert full.layout_id(()) == 0
    assert [list(series.label_values) for series in full.layout(first).series] == [["0"], ["1"]]


def test_layouts_that_nothing_held_uses_are_forgotten() -> None:
    full = spool()
    kept = full.layout_id(SERIES)
    full.put(Entry(time_ns=1, layout_id=kept, payload=b"x"))
    numbers = [full.layout_id(((520, (f"eth{number}",)),)) for number in range(200)]

    assert full.layout(kept).layout_id == kept
    assert full.layout(numbers[-1]).layout_id == numbers[-1]
    with pytest.raises(KeyError):
        full.layout(numbers[0])


class SpoolHistory(RuleBasedStateMachine):
    """Any order of putting, sending, acking, refusing and new streams: nothing is lost untold, nothing sent twice."""

    def __init__(self) -> None:
        super().__init__()
        self.spool = spool(replace(LIMITS, losses=1000))
        self.time_ns = 0
        self.put_times: list[int] = []
        self.next = {LIVE: 1, BACKFILL: 1}
        self.frames: dict[tuple[Lane, int], Frame] = {}

    @rule(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=12), step=st.integers(1, 5))
    def measure(self, sizes: list[int], step: int) -> None:
        for size in sizes:
            self.time_ns += step
            self.put_times.append(self.time_ns)
            self.spool.put(entry(self.time_ns, size=size))

    @rule(lane=st.sampled_from([LIVE, BACKFILL]))
    def send(self, lane: Lane) -> None:
        frame = self.spool.frame(lane, self.next[lane])
        if frame is not None:
            self.frames[lane, frame.seq] = frame
            self.next[lane] += 1

    @rule(lane=st.sampled_from([LIVE, BACKFILL]), part=st.floats(0, 1))
    def ack(self, lane: Lane, part: float) -> None:
        first, following = self.spool.position(lane), self.next[lane]
        if following > first:
            self.spool.ack(lane, first + int(part * (following - first - 1)))

    @rule(lane=st.sampled_from([LIVE, BACKFILL]))
    def refuse(self, lane: Lane) -> None:
        seq = self.spool.position(lane)
        if seq < self.next[lane]:
            self.spool.refuse(lane, seq)
            frame = self.spool.frame(lane, seq)
            assert frame is not None
            self.frames[lane, seq] = frame

    @rule()
    def new_stream(self) -> None:
        self.spool.demote()

    @precondition(lambda self: self.put_times)
    @rule(lane=st.sampled_from([LIVE, BACKFILL]))
    def ask_again(self, lane: Lane) -> None:
        for seq in range(self.spool.position(lane), self.next[lane]):
            assert self.spool.frame(lane, seq) == self.frames[lane, seq]

    @invariant()
    def every_sample_is_somewhere(self) -> None:
        counts = self.spool.counts
        assert counts.taken == counts.acked + counts.dropped + counts.refused + self.spool.held()

    def teardown(self) -> None:
        self.time_ns += 1
        self.put_times.append(self.time_ns)
        self.spool.put(entry(self.time_ns, size=1))
        for lane in (LIVE, BACKFILL):
            while (frame := self.spool.frame(lane, self.next[lane])) is not None:
                self.frames[lane, frame.seq] = frame
                self.next[lane] += 1
        delivered = [held.time_ns for frame in self.frames.values() for held in frame.entries]
        losses = [frame.loss for frame in self.frames.values() if frame.loss is not None]
        assert len(delivered) == len(set(delivered))
        assert set(delivered) <= set(self.put_times)
        assert len(delivered) + sum(loss.dropped for loss in losses) == len(self.put_times)
        for lane in (LIVE, BACKFILL):
            assert sorted(seq for at, seq in self.frames if at == lane) == list(range(1, self.next[lane]))
            in_order = [
                held.time_ns for (at, _), frame in sorted(self.frames.items()) if at == lane for held in frame.entries
            ]
            assert in_order == sorted(in_order)
        for loss in losses:
            inside = {moment for moment in self.put_times if loss.start_ns <= moment < loss.end_ns}
            assert len(inside) == loss.dropped
            assert not inside & set(delivered)


TestSpoolHistory = SpoolHistory.TestCase
TestSpoolHistory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

"""Which frame goes next, within the credits, over acks and new streams."""

import uuid

import pytest

from agent.spool.frame import BACKFILL, LIVE, Entry
from agent.spool.lanes.memory import MemorySpool
from agent.spool.limits import SpoolLimits
from agent.spool.spool import UnknownSeqError
from agent.uplink.flow import BACKFILL_SAMPLES_PER_S, Flow
from flick.v1 import ingest_pb2, telemetry_pb2
from tests.unit.agent.clock import HandClock

MIB = 1024 * 1024


class Bench:
    """A spool, of one-sample frames unless told otherwise, and a flow over it."""

    def __init__(self, *, max_batches: int = 8, max_bytes: int = 4 * MIB, frame_samples: int = 1) -> None:
        self.clock = HandClock()
        limits = SpoolLimits(live_samples=100, frame_samples=frame_samples)
        self.spool = MemorySpool(spool_id=uuid.uuid4(), limits=limits)
        self.flow = Flow(spool=self.spool, clock=self.clock, max_batches=max_batches, max_bytes=max_bytes)
        self.time_ns = 0

    def measure(self, count: int, *, series: int = 0, size: int = 0) -> None:
        layout_id = self.spool.layout_id(tuple((500, (str(number),)) for number in range(series)))
        for _ in range(count):
            self.time_ns += 1_000_000_000
            sample = telemetry_pb2.Sample(processes=b"x" * size)
            self.spool.put(Entry(time_ns=self.time_ns, layout_id=layout_id, payload=sample.SerializeToString()))

    def sent(self, lane: ingest_pb2.Lane.ValueType) -> list[ingest_pb2.MetricBatch]:
        """Everything that the lane may send now."""
        batches = []
        while (frame := self.flow.next(lane)) is not None:
            batches.append(frame.metric_batch)
        return batches


def seqs(batches: list[ingest_pb2.MetricBatch]) -> list[int]:
    return [batch.seq for batch in batches]


def test_no_more_frames_are_on_their_way_than_there_are_credits() -> None:
    bench = Bench(max_batches=3)
    bench.measure(10)
    first = seqs(bench.sent(LIVE))
    bench.flow.acked(LIVE, 2)

    assert first == [1, 2, 3]
    assert seqs(bench.sent(LIVE)) == [4, 5]


def test_no_more_bytes_are_on_their_way_than_there_are_credits() -> None:
    bench = Bench(max_bytes=2500)
    bench.measure(10, size=1000)

    assert seqs(bench.sent(LIVE)) == [1, 2]


def test_a_frame_larger_than_all_credits_goes_alone() -> None:
    bench = Bench(max_bytes=100)
    bench.measure(2, size=1000)

    assert seqs(bench.sent(LIVE)) == [1]


def test_the_backlog_leaves_half_of_the_credits_to_the_live_lane() -> None:
    bench = Bench(max_batches=4)
    bench.measure(10)
    bench.spool.demote()
    backlog = []
    for _ in range(10):
        backlog += bench.sent(BACKFILL)
        bench.clock.pass_by(1 / BACKFILL_SAMPLES_PER_S)
    bench.measure(10)

    assert len(backlog) == 2
    assert len(bench.sent(LIVE)) == 2


def test_the_backlog_drains_at_a_limited_rate() -> None:
    bench = Bench()
    bench.measure(10)
    bench.spool.demote()
    first = seqs(bench.sent(BACKFILL))
    wait_s = bench.flow.ready_in_s()
    assert wait_s is not None
    bench.clock.pass_by(wait_s)

    assert first == [1]
    assert wait_s == pytest.approx(1 / BACKFILL_SAMPLES_PER_S)
    assert seqs(bench.sent(BACKFILL)) == [2]


@pytest.mark.parametrize(("samples", "size"), [(1, 0), (60, 0), (60, 4000)], ids=["one", "small", "large"])
def test_the_backlog_goes_as_many_samples_a_second_in_frames_of_any_size(samples: int, size: int) -> None:
    bench = Bench(frame_samples=samples)
    bench.measure(60, size=size)
    bench.spool.demote()
    frame = bench.flow.next(BACKFILL)
    assert frame is not None

    assert bench.flow.ready_in_s() == pytest.approx(len(frame.metric_batch.samples) / BACKFILL_SAMPLES_PER_S)


def test_after_retry_after_the_lane_waits_and_sends_the_same_frames_again() -> None:
    bench = Bench()
    bench.measure(4)
    first = bench.sent(LIVE)
    bench.flow.acked(LIVE, 1)
    bench.flow.retry_after(LIVE, 2, 7.0)
    at_once = bench.sent(LIVE)
    bench.clock.pass_by(7.0)

    assert at_once == []
    assert [batch.SerializeToString() for batch in bench.sent(LIVE)] == [b.SerializeToString() for b in first[1:]]


def test_one_lanes_wait_does_not_hold_the_other() -> None:
    bench = Bench()
    bench.measure(3)
    bench.spool.demote()
    bench.sent(BACKFILL)
    bench.flow.retry_after(BACKFILL, 1, 60.0)
    bench.measure(1)

    assert seqs(bench.sent(LIVE)) == [1]


def test_a_retry_after_for_what_was_acked_since_is_stale() -> None:
    bench = Bench()
    bench.measure(2)
    bench.sent(LIVE)
    bench.flow.acked(LIVE, 2)
    bench.flow.retry_after(LIVE, 1, 60.0)
    bench.measure(1)

    assert seqs(bench.sent(LIVE)) == [3]


def test_acks_and_retries_of_what_was_never_sent_are_errors() -> None:
    bench = Bench()
    bench.measure(2)
    bench.flow.next(LIVE)

    with pytest.raises(UnknownSeqError):
        bench.flow.acked(LIVE, 2)
    with pytest.raises(UnknownSeqError):
        bench.flow.retry_after(LIVE, 2, 1.0)
    with pytest.raises(UnknownSeqError, match="no lane"):
        bench.flow.acked(ingest_pb2.LANE_UNSPECIFIED, 1)


def test_a_layout_is_declared_once_on_a_stream() -> None:
    bench = Bench()
    bench.measure(2, series=3)
    bench.measure(1, series=4)
    declared = [[layout.layout_id for layout in batch.layouts] for batch in bench.sent(LIVE)]

    assert declared == [[1], [], [2]]
    assert bench.flow.declare(bench.spool.layout(1)) == []


def test_a_layout_of_refused_frames_is_declared_again() -> None:
    bench = Bench()
    bench.measure(3, series=3)
    bench.sent(LIVE)
    bench.flow.retry_after(LIVE, 1, 0.0)

    assert [len(batch.layouts) for batch in bench.sent(LIVE)] == [1, 0, 0]


def test_the_next_stream_goes_on_where_acks_ended_and_declares_anew() -> None:
    bench = Bench()
    bench.measure(3, series=3)
    bench.sent(LIVE)
    bench.flow.acked(LIVE, 1)
    bench.flow = Flow(spool=bench.spool, clock=bench.clock, max_batches=8, max_bytes=MIB)
    again = bench.sent(LIVE)

    assert seqs(again) == [2, 3]
    assert [len(batch.layouts) for batch in again] == [1, 0]
    assert [batch.samples[0].time_unix_nano for batch in again] == [2_000_000_000, 3_000_000_000]

"""Any order of puts, acks, refusals, splits and restarts: nothing is lost untold, nothing sent twice."""

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.spool.frame import BACKFILL, LIVE, Frame, Lane
from agent.spool.lanes.laned import LanedSpool
from flick.v1 import ingest_pb2
from tests.unit.agent.spool.spools import S, adds_up, copied, entry, in_memory, on_disk, with_limits

LANES = st.sampled_from([LIVE, BACKFILL])
KEPT_APART = with_limits(losses=1000)


@dataclass
class Promised:
    """What a lane promised: its frames by seq, and which of them are acked."""

    first: int = 1
    next: int = 1


class SpoolHistory(RuleBasedStateMachine):
    """The model: which samples were taken, and what each place of each lane was last seen to hold."""

    def __init__(self) -> None:
        super().__init__()
        self.spool = self.make()
        self.second = 0
        self.taken: list[int] = []
        self.lanes = {LIVE: Promised(), BACKFILL: Promised()}
        self.frames: dict[tuple[Lane, int], Frame] = {}

    def make(self) -> LanedSpool:
        return in_memory(KEPT_APART)

    @rule(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=12), step=st.integers(1, 5))
    def measure(self, sizes: list[int], step: int) -> None:
        for size in sizes:
            self.second += step
            self.taken.append(self.second * S)
            self.spool.put(entry(self.second, size=size))

    @rule()
    def overloaded(self) -> None:
        self.spool.lose(ingest_pb2.GAP_REASON_OVERLOADED, start_ns=self.second * S + 1)

    @rule(lane=LANES)
    def send(self, lane: Lane) -> None:
        frame = self.spool.frame(lane, self.lanes[lane].next)
        if frame is not None:
            self.frames[lane, frame.seq] = frame
            self.lanes[lane].next += 1

    @rule(lane=LANES, part=st.floats(0, 1))
    def ack(self, lane: Lane, part: float) -> None:
        promised = self.lanes[lane]
        if promised.next > promised.first:
            seq = promised.first + int(part * (promised.next - promised.first - 1))
            self.spool.ack(lane, seq)
            promised.first = seq + 1

    @rule(lane=LANES, times=st.integers(1, 3))
    def refuse(self, lane: Lane, times: int) -> None:
        promised = self.lanes[lane]
        if promised.first < promised.next:
            for _ in range(times):
                self.spool.refuse(lane, promised.first)
            self.look_again(lane, promised.first)

    @rule(lane=LANES)
    def split(self, lane: Lane) -> None:
        promised = self.lanes[lane]
        if promised.first < promised.next:
            self.spool.split(lane, promised.first)
            self.look_again(lane, promised.first)
            held = self.frames[lane, promised.first]
            if self.spool.has_frame(BACKFILL, self.lanes[BACKFILL].next) and not held.loss:
                self.send(BACKFILL)

    def look_again(self, lane: Lane, seq: int) -> None:
        frame = self.spool.frame(lane, seq)
        assert frame is not None
        self.frames[lane, seq] = frame

    @rule()
    def new_stream(self) -> None:
        self.spool.demote()

    @rule(lane=LANES)
    def ask_again(self, lane: Lane) -> None:
        promised = self.lanes[lane]
        assert self.spool.position(lane) == promised.first
        for seq in range(promised.first, promised.next):
            assert self.spool.frame(lane, seq) == self.frames[lane, seq]

    @invariant()
    def every_sample_is_somewhere(self) -> None:
        assert adds_up(self.spool)
        assert self.spool.status().taken_samples == len(self.taken)

    def teardown(self) -> None:
        self.measure([1], 1)
        for lane in (LIVE, BACKFILL):
            while self.spool.frame(lane, self.lanes[lane].next) is not None:
                self.send(lane)
        delivered = self.delivered()
        losses = [frame.loss for frame in self.frames.values() if frame.loss is not None]
        assert len(delivered) == len(set(delivered))
        assert set(delivered) <= set(self.taken)
        assert len(delivered) + sum(loss.dropped for loss in losses) == len(self.taken)
        for lane, promised in self.lanes.items():
            assert sorted(seq for at, seq in self.frames if at == lane) == list(range(1, promised.next))
        for frame in self.frames.values():
            times = [held.time_ns for held in frame.entries]
            assert all(earlier < later for earlier, later in itertools.pairwise(times))
        for loss in losses:
            if loss.reason == ingest_pb2.GAP_REASON_SPOOL_FULL:
                inside = {moment for moment in self.taken if loss.start_ns <= moment < loss.end_ns}
                assert len(inside) == loss.dropped
                assert not inside & set(delivered)

    def delivered(self) -> Sequence[int]:
        return [held.time_ns for frame in self.frames.values() for held in frame.entries]


class DiskHistory(SpoolHistory):
    """The same on disk, with restarts: after a stop, and as a killed process leaves the files."""

    def make(self) -> LanedSpool:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "0.db"
        return on_disk(self.path, KEPT_APART)

    @rule()
    def stop_and_start(self) -> None:
        self.spool.close()
        self.spool = on_disk(self.path, KEPT_APART)

    @rule()
    def kill_and_start(self) -> None:
        copy = copied(self.path, self.path.with_name(f"{int(self.path.stem) + 1}.db"))
        self.spool.close()
        self.path = copy
        self.spool = on_disk(copy, KEPT_APART)

    def teardown(self) -> None:
        super().teardown()
        self.spool.close()
        self.folder.cleanup()


TestSpoolHistory = SpoolHistory.TestCase
TestSpoolHistory.settings = settings(max_examples=60, stateful_step_count=30)
TestDiskHistory = DiskHistory.TestCase
TestDiskHistory.settings = settings(max_examples=30, stateful_step_count=25)

"""Lanes: whatever is lost, returned and replayed, each frame is committed once and in order."""

import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flick.v1 import ingest_pb2
from services.ingest.intake.lanes import MAX_UNACKED_BYTES, MAX_UNACKED_FRAMES, Lanes, Place, ProtocolError

LIVE, BACKFILL = ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL


def _accept(lanes: Lanes, seq: int, *, lane: ingest_pb2.Lane.ValueType = LIVE, size_bytes: int = 1) -> Place:
    place = lanes.accept(lane=lane, seq=seq, size_bytes=size_bytes)
    assert place is not None
    return place


def test_frames_are_taken_from_hellos_place_on() -> None:
    lanes = Lanes(positions={LIVE: 5})

    assert [_accept(lanes, seq).seq for seq in (5, 6, 7)] == [5, 6, 7]


@pytest.mark.parametrize("seq", [0, 4, 6, 2**64 - 1])
def test_a_first_frame_elsewhere_breaks_the_protocol(seq: int) -> None:
    lanes = Lanes(positions={LIVE: 5})

    with pytest.raises(ProtocolError, match=f"frame {seq} came where 5 is next"):
        lanes.accept(lane=LIVE, seq=seq, size_bytes=1)


def test_the_lanes_count_for_themselves() -> None:
    lanes = Lanes(positions={LIVE: 5, BACKFILL: 1})
    _accept(lanes, 5)

    assert _accept(lanes, 1, lane=BACKFILL).seq == 1


@pytest.mark.parametrize("lane", [ingest_pb2.LANE_UNSPECIFIED, BACKFILL, 99])
def test_a_lane_that_hello_did_not_name_breaks_the_protocol(lane: ingest_pb2.Lane.ValueType) -> None:
    with pytest.raises(ProtocolError, match=r"was not named in hello\.lanes"):
        Lanes(positions={LIVE: 1}).accept(lane=lane, seq=1, size_bytes=1)


@pytest.mark.parametrize("positions", [{LIVE: 0}, {ingest_pb2.LANE_UNSPECIFIED: 1}])
def test_a_position_without_sense_breaks_the_protocol(positions: dict[ingest_pb2.Lane.ValueType, int]) -> None:
    with pytest.raises(ProtocolError, match=r"hello\.lanes"):
        Lanes(positions=positions)


def test_frames_beyond_the_credits_break_the_protocol() -> None:
    lanes = Lanes(positions={LIVE: 1})
    for seq in range(1, MAX_UNACKED_FRAMES + 1):
        _accept(lanes, seq)

    with pytest.raises(ProtocolError, match="Wait for acks"):
        _accept(lanes, MAX_UNACKED_FRAMES + 1)


def test_bytes_beyond_the_credits_break_the_protocol() -> None:
    lanes = Lanes(positions={LIVE: 1})
    _accept(lanes, 1, size_bytes=MAX_UNACKED_BYTES)

    with pytest.raises(ProtocolError, match="bytes are unacked"):
        _accept(lanes, 2)


def test_a_commit_gives_credit_back() -> None:
    lanes = Lanes(positions={LIVE: 1})
    for seq in range(1, 100):
        lanes.commit(_accept(lanes, seq, size_bytes=MAX_UNACKED_BYTES))

    assert lanes.settled


def test_after_a_rewind_what_was_sent_before_is_passed_over_until_the_frame_comes_again() -> None:
    lanes = Lanes(positions={LIVE: 1})
    first, second = _accept(lanes, 1), _accept(lanes, 2)
    rewound = lanes.rewind(first)
    passed = [lanes.accept(lane=LIVE, seq=seq, size_bytes=1) for seq in (3, 4)]
    again = [_accept(lanes, seq) for seq in (1, 2, 3)]

    assert (rewound, passed, lanes.rewind(second)) == (True, [None, None], False)
    assert [lanes.is_current(place) for place in (first, second, *again)] == [False, False, True, True, True]


def test_a_rewind_leaves_what_came_before_it() -> None:
    lanes = Lanes(positions={LIVE: 1})
    first, second = _accept(lanes, 1), _accept(lanes, 2)
    lanes.rewind(second)

    assert lanes.is_current(first)
    lanes.commit(first)
    assert lanes.settled


@dataclass
class _Agent:
    """An agent as the contract describes it: sends in order within its credit, goes back when it is told to."""

    next_seq: int = 1
    unacked: deque[int] = field(default_factory=deque)

    def send(self) -> int | None:
        if len(self.unacked) >= MAX_UNACKED_FRAMES:
            return None
        seq, self.next_seq = self.next_seq, self.next_seq + 1
        self.unacked.append(seq)
        return seq

    def acked(self, seq: int) -> None:
        while self.unacked and self.unacked[0] <= seq:
            self.unacked.popleft()

    def retry(self, seq: int) -> None:
        if self.next_seq > seq:
            self.next_seq = seq
            self.unacked = deque(one for one in self.unacked if one < seq)


class _Wire:
    """An agent, a stream and a writer. Frames and answers take their time, commits fail, frames are turned away."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.agent = _Agent()
        self.lanes = Lanes(positions={LIVE: 1})
        self.to_ingest: deque[int] = deque()
        self.to_agent: deque[tuple[str, int]] = deque()
        self.writer: deque[Place] = deque()
        self.committed: list[int] = []
        self.steps = (self.send, self.arrive, self.write, self.answer)

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way."""
        return self.lanes.settled and not (self.to_ingest or self.to_agent or self.writer or self.agent.unacked)

    def send(self) -> None:
        if (seq := self.agent.send()) is not None:
            self.to_ingest.append(seq)

    def arrive(self) -> None:
        if not self.to_ingest:
            return
        place = self.lanes.accept(lane=LIVE, seq=self.to_ingest.popleft(), size_bytes=1)
        if place is not None and self.rng.random() < 0.9:
            self.writer.append(place)
        elif place is not None:
            self._rewind(place)

    def write(self) -> None:
        if not self.writer:
            return
        place = self.writer.popleft()
        if not self.lanes.is_current(place):
            return
        if self.rng.random() < 0.8:
            self.lanes.commit(place)
            self.committed.append(place.seq)
            self.to_agent.append(("ack", place.seq))
        else:
            self._rewind(place)

    def answer(self) -> None:
        if self.to_agent:
            kind, seq = self.to_agent.popleft()
            self.agent.acked(seq) if kind == "ack" else self.agent.retry(seq)

    def _rewind(self, place: Place) -> None:
        if self.lanes.rewind(place):
            self.to_agent.append(("retry", place.seq))


@settings(max_examples=500)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 400))
def test_every_frame_is_committed_once_and_in_order_whatever_happens_on_the_way(seed: int, steps: int) -> None:
    wire = _Wire(random.Random(seed))
    sent = 0
    for _ in range(steps):
        wire.rng.choice(wire.steps)()
        sent = max(sent, wire.agent.next_seq - 1)
    while not wire.quiet or wire.agent.next_seq <= sent:
        if wire.agent.next_seq <= sent:
            wire.send()
        wire.rng.choice(wire.steps[1:])()

    assert wire.committed == list(range(1, sent + 1))

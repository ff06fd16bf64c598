"""Histories of streams between an agent and ingest's lanes, where the network loses and peers misbehave. Pure."""

from collections import deque
from dataclasses import dataclass, field

from flick.v1 import ingest_pb2
from services.ingest.intake.lanes import MAX_UNACKED_FRAMES, LaneId, Lanes, Place, ProtocolError

LANES = (ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL)
PATIENCE_STEPS = 10_000  # a history has some hundred frames at most
Spot = tuple[LaneId, int]
"""A lane and a seq in it: which frame."""


@dataclass
class Agent:
    """An agent as the contract describes it. `measured` and `acked` are the last seq of each lane."""

    measured: dict[LaneId, int] = field(default_factory=lambda: dict.fromkeys(LANES, 0))
    acked: dict[LaneId, int] = field(default_factory=lambda: dict.fromkeys(LANES, 0))
    sent: dict[LaneId, int] = field(default_factory=lambda: dict.fromkeys(LANES, 0))

    def positions(self) -> dict[LaneId, int]:
        """As Hello says; everything that is not acked is sent anew."""
        self.sent = dict(self.acked)
        return {lane: seq + 1 for lane, seq in self.acked.items()}

    def next(self, lane: LaneId) -> int | None:
        """What is sent next, within the credits."""
        on_their_way = sum(self.sent[each] - self.acked[each] for each in LANES)
        if self.sent[lane] >= self.measured[lane] or on_their_way >= MAX_UNACKED_FRAMES:
            return None
        self.sent[lane] += 1
        return self.sent[lane]

    def hear_ack(self, lane: LaneId, seq: int) -> bool:
        """Forget what is acked. False: nothing like that was sent, so that the stream is to end."""
        if seq > self.sent[lane]:
            return False
        self.acked[lane] = max(self.acked[lane], seq)
        return True

    def hear_retry(self, lane: LaneId, seq: int) -> bool:
        """Go back. False: as `hear_ack` says."""
        if seq > self.sent[lane]:
            return False
        if seq > self.acked[lane]:
            self.sent[lane] = seq - 1
        return True


class History:
    """An agent, the streams that it opens one after the other, one writer, and the table.

    Every method is a step; each takes a number, from which it chooses as it needs.
    """

    def __init__(self) -> None:
        self.agent = Agent()
        self.table: set[Spot] = set()
        self.made_up: set[Spot] = set()  # sent before there was anything to send
        self.writer: deque[tuple[Lanes, Place]] = deque()
        self.refused = 0
        self.open()

    def open(self) -> None:
        """A new stream; whatever was on its way on the old one is lost, but for what the writer has."""
        self.lanes = Lanes(positions=self.agent.positions())
        self.to_ingest: deque[Spot] = deque()
        self.to_agent: deque[tuple[str, LaneId, int]] = deque()
        self.committed_here: set[Spot] = set()
        self.honest = True

    def measure(self, number: int) -> None:
        """There is one more frame."""
        self.agent.measured[LANES[number % 2]] += 1

    def send(self, number: int) -> None:
        """The agent sends what is next."""
        lane = LANES[number % 2]
        if (seq := self.agent.next(lane)) is not None:
            self.to_ingest.append((lane, seq))

    def arrive(self, number: int) -> None:
        """A frame comes in; sometimes there is no room for it."""
        if not self.to_ingest:
            return
        lane, seq = self.to_ingest.popleft()
        try:
            place = self.lanes.accept(lane=lane, seq=seq, size_bytes=1)
        except ProtocolError:
            assert not self.honest, "who keeps the rules is not refused"
            self.refused += 1
            self.open()
            return
        if place is not None and number % 8 == 0:
            self._rewind(self.lanes, place)
        elif place is not None:
            self.writer.append((self.lanes, place))

    def write(self, number: int) -> None:
        """The writer takes a frame; sometimes its commit fails. The stream may be over by then."""
        if not self.writer:
            return
        lanes, place = self.writer.popleft()
        if not lanes.is_current(place):
            return
        if number % 5 == 0:
            self._rewind(lanes, place)
            return
        lanes.commit(place)
        spot = (place.lane, place.seq)
        self.table.add(spot)
        if lanes is self.lanes:
            assert spot not in self.committed_here, "one stream commits no frame twice"
            self.committed_here.add(spot)
            self.to_agent.append(("ack", *spot))

    def hear(self, _number: int) -> None:
        """The agent hears an answer."""
        if self.to_agent:
            kind, lane, seq = self.to_agent.popleft()
            known = self.agent.hear_ack(lane, seq) if kind == "ack" else self.agent.hear_retry(lane, seq)
            assert known or not self.honest, "ingest answers nothing that was not sent"
            if not known:
                self.open()

    def lose_the_stream(self, _number: int) -> None:
        """Acks on their way are lost, frames as well."""
        self.open()

    def replay(self, number: int) -> None:
        """The agent sends what it has sent before."""
        lane = LANES[number % 2]
        self.honest = False
        if self.agent.sent[lane]:
            self.to_ingest.append((lane, 1 + number % self.agent.sent[lane]))

    def skip(self, number: int) -> None:
        """The agent sends what is not its turn, or what there is not."""
        lane = LANES[number % 2]
        self.honest = False
        spot = (lane, self.agent.sent[lane] + 2 + number % 5)
        self.to_ingest.append(spot)
        if spot[1] > self.agent.measured[lane]:
            self.made_up.add(spot)

    def reorder(self, number: int) -> None:
        """Two frames change places on the way."""
        self.honest = False
        if len(self.to_ingest) > 1:
            self.to_ingest.rotate(1 + number % (len(self.to_ingest) - 1))

    def stray(self, number: int) -> None:
        """A frame of a lane that there is not."""
        self.honest = False
        self.to_ingest.append((ingest_pb2.Lane.ValueType((0, 3, 99)[number % 3]), 1))

    def ack_the_unknown(self, number: int) -> None:
        """An ack or a wish to retry of what was never sent: the agent ends the stream, and forgets nothing."""
        lane = LANES[number % 2]
        seq, before = self.agent.sent[lane] + 1 + number % 9, dict(self.agent.acked)
        known = self.agent.hear_ack(lane, seq) if number % 3 else self.agent.hear_retry(lane, seq)
        assert not known
        assert self.agent.acked == before
        self.open()

    def check(self) -> None:
        """What holds at every moment."""
        acked = {(lane, seq) for lane in LANES for seq in range(1, self.agent.acked[lane] + 1)}
        assert acked <= self.table, "what the agent has forgotten is stored"
        assert self.table <= self._measured | self.made_up, "nothing is stored that was not sent"

    def heal(self) -> None:
        """Nobody misbehaves any more: everything is delivered in the end, on this stream if it was an honest one."""
        if not self.honest:
            self.open()
        steps = 0
        while self.agent.acked != self.agent.measured:
            for lane in range(2):
                self.send(lane)
            self.arrive(1)
            self.write(1)
            self.hear(1)
            steps += 1
            assert steps < PATIENCE_STEPS, "the stream gets on"
        self.check()
        assert self._measured <= self.table

    @property
    def _measured(self) -> set[Spot]:
        return {(lane, seq) for lane in LANES for seq in range(1, self.agent.measured[lane] + 1)}

    def _rewind(self, lanes: Lanes, place: Place) -> None:
        if lanes.rewind(place) and lanes is self.lanes:
            self.to_agent.append(("retry", place.lane, place.seq))


WELL_BEHAVED = (History.measure, History.send, History.arrive, History.write, History.hear)
MISBEHAVIOUR = (
    History.lose_the_stream,
    History.replay,
    History.skip,
    History.reorder,
    History.stray,
    History.ack_the_unknown,
)

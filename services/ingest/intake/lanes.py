"""The lanes of one stream: which frame comes next, what is unacked, and what is to be sent again. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from flick.errors import FlickError, Kind
from flick.v1 import ingest_pb2

MAX_UNACKED_FRAMES = 8
MAX_UNACKED_BYTES = 4 * 1024 * 1024

LaneId: TypeAlias = ingest_pb2.Lane.ValueType


class ProtocolError(Exception):
    """The agent breaks the rules of the stream.

    Args:
        text: which rule, with the fix.
        code: as Fatal tells it.
        lane, seq: the frame that is at fault by what it holds; unset when the whole stream is.
    """

    def __init__(
        self,
        text: str,
        *,
        code: ingest_pb2.FatalCode.ValueType = ingest_pb2.FATAL_CODE_PROTOCOL,
        lane: LaneId = ingest_pb2.LANE_UNSPECIFIED,
        seq: int = 0,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.lane = lane
        self.seq = seq

    def fatal(self) -> ingest_pb2.Fatal:
        """As the agent is told."""
        return ingest_pb2.Fatal(code=self.code, message=str(self), lane=self.lane, seq=self.seq)

    def flick_error(self) -> FlickError:
        """As the stream ends."""
        reason = ingest_pb2.FatalCode.Name(self.code).removeprefix("FATAL_CODE_")
        return FlickError(Kind.INVALID_ARGUMENT, str(self), reason=reason)


@dataclass(slots=True, kw_only=True, eq=False)  # not frozen: that would cost three times as much to make
class Place:
    """Where a frame stands. The same frame sent again gets another place."""

    lane: LaneId
    seq: int
    size_bytes: int


@dataclass(slots=True, kw_only=True)
class _Lane:
    expected: int
    rewound: bool = False
    pending: deque[Place] = field(default_factory=deque)


class Lanes:
    """Takes frames in the order of each lane's sequence.

    A frame that can't be stored now rewinds its lane: it and everything behind it is sent again. What the agent had
    sent before it heard of that is passed over.

    Args:
        positions: the sequence of the next frame of each lane, as Hello says.

    Raises ProtocolError when a position makes no sense.
    """

    def __init__(self, *, positions: Mapping[LaneId, int]) -> None:
        for lane, seq in positions.items():
            if lane not in (ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL) or seq < 1:
                raise ProtocolError("hello.lanes: every lane is live or backfill, and its next seq at least 1.")
        self._lanes = {lane: _Lane(expected=seq) for lane, seq in positions.items()}
        self._unacked_frames = 0
        self._unacked_bytes = 0

    @property
    def settled(self) -> bool:
        """Whether no frame waits for its commit."""
        return self._unacked_frames == 0

    def accept(self, *, lane: LaneId, seq: int, size_bytes: int) -> Place | None:
        """The place of a frame that came in; None when it was sent before the agent knew that its lane is rewound.

        Raises ProtocolError when the frame is not the next one of its lane, or exceeds what may be unacked.
        """
        state = self._lanes.get(lane)
        if state is None:
            raise ProtocolError(f"Lane {_name(lane)} was not named in hello.lanes.")
        if state.rewound and seq > state.expected:
            return None
        if seq != state.expected:
            raise ProtocolError(f"Lane {_name(lane)}: frame {seq} came where {state.expected} is next.")
        self._check_credit(size_bytes)
        place = Place(lane=lane, seq=seq, size_bytes=size_bytes)
        state.expected = seq + 1
        state.rewound = False
        state.pending.append(place)
        self._count(place, 1)
        return place

    def is_current(self, place: Place) -> bool:
        """Whether the frame is still to be stored: neither committed nor to be sent again."""
        return place in self._lanes[place.lane].pending

    def commit(self, place: Place) -> None:
        """The frame is committed. Frames of a lane are committed in their order."""
        first = self._lanes[place.lane].pending.popleft()
        assert first is place, "a lane is committed in order"
        self._count(place, -1)

    def rewind(self, place: Place) -> bool:
        """Have the frame and what came behind it sent again. False when that is so already."""
        if not self.is_current(place):
            return False
        state = self._lanes[place.lane]
        while state.pending and state.pending[-1].seq >= place.seq:
            self._count(state.pending.pop(), -1)
        state.expected = place.seq
        state.rewound = True
        return True

    def _check_credit(self, size_bytes: int) -> None:
        if self._unacked_frames >= MAX_UNACKED_FRAMES:
            raise ProtocolError(f"More than {MAX_UNACKED_FRAMES} frames are unacked. Wait for acks.")
        # A single frame may be as large as a message can be, so that the agent's own count never blocks it for good.
        if self._unacked_frames and self._unacked_bytes + size_bytes > MAX_UNACKED_BYTES:
            raise ProtocolError(f"More than {MAX_UNACKED_BYTES} bytes are unacked. Wait for acks.")

    def _count(self, place: Place, sign: int) -> None:
        self._unacked_frames += sign
        self._unacked_bytes += sign * place.size_bytes


def _name(lane: LaneId) -> str:
    try:
        return ingest_pb2.Lane.Name(lane).removeprefix("LANE_").lower()
    except ValueError:  # a lane of a later version
        return str(lane)

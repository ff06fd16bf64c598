"""What a spool holds: entries that wait, and the frames of a lane that they become."""

from dataclasses import dataclass
from typing import TypeAlias

from flick.v1 import ingest_pb2

Lane: TypeAlias = ingest_pb2.Lane.ValueType
LIVE = ingest_pb2.LANE_LIVE
BACKFILL = ingest_pb2.LANE_BACKFILL


@dataclass(slots=True)
class Entry:
    """One stored sample.

    Args:
        time_ns: its time.
        layout_id: the layout of its labelled values; 0 without any.
        payload: the serialized `flick.v1.Sample`.
        until_ns: the next sample's time, 0 while there is none.
    """

    time_ns: int
    layout_id: int
    payload: bytes
    until_ns: int = 0


@dataclass(slots=True)
class Loss:
    """A span whose samples are gone, as `flick.v1.Gap` has it. `end_ns` is 0 until the next sample is there."""

    start_ns: int
    end_ns: int
    reason: ingest_pb2.GapReason.ValueType
    dropped: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a lane and what stands there: entries, or a loss."""

    lane: Lane
    seq: int
    entries: tuple[Entry, ...] = ()
    loss: Loss | None = None

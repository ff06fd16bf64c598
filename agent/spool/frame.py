"""What a spool takes and gives: samples, and the frames of a lane that they become."""

from dataclasses import dataclass
from typing import TypeAlias

from flick.v1 import ingest_pb2

Lane: TypeAlias = ingest_pb2.Lane.ValueType
Reason: TypeAlias = ingest_pb2.GapReason.ValueType
LIVE = ingest_pb2.LANE_LIVE
BACKFILL = ingest_pb2.LANE_BACKFILL


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored sample.

    Args:
        time_ns: its time.
        layout_id: the layout of its labelled values; 0 without any.
        payload: the serialized `flick.v1.Sample` without time and layout, which are put in when it is sent.
    """

    time_ns: int
    layout_id: int
    payload: bytes


@dataclass(slots=True)
class Loss:
    """A span whose samples are gone, as `flick.v1.Gap` has it.

    Args:
        start_ns, end_ns: the span. `end_ns` is 0 until the next sample is there.
        reason: why.
        dropped: how many samples; 0 when none was taken.
        start_id, end_id: the samples by whose clock the two moments were told.
    """

    start_ns: int
    end_ns: int
    reason: Reason
    dropped: int = 0
    start_id: int = 0
    end_id: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a lane and what stands there: entries, or a loss."""

    lane: Lane
    seq: int
    entries: tuple[Entry, ...] = ()
    loss: Loss | None = None

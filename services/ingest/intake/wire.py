"""Frames as they come on the wire; of one that can't be read at least which one it was."""

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from flick.v1 import ingest_pb2
from services.ingest.intake.lanes import ProtocolError

_STORED = {
    ingest_pb2.StreamTelemetryRequest.METRIC_BATCH_FIELD_NUMBER,
    ingest_pb2.StreamTelemetryRequest.LOG_BATCH_FIELD_NUMBER,
    ingest_pb2.StreamTelemetryRequest.GAP_FIELD_NUMBER,
}
_LANE, _SEQ = ingest_pb2.MetricBatch.LANE_FIELD_NUMBER, ingest_pb2.MetricBatch.SEQ_FIELD_NUMBER  # of all three


def read_request(raw: bytes) -> ingest_pb2.StreamTelemetryRequest:
    """The frame. Raises ProtocolError when it can't be read."""
    try:
        return ingest_pb2.StreamTelemetryRequest.FromString(raw)
    except DecodeError as error:
        lane, seq = _find_place(raw)
        raise ProtocolError(
            "The frame can't be read. It is to be a StreamTelemetryRequest whose texts are UTF-8.",
            code=ingest_pb2.FATAL_CODE_MALFORMED,
            lane=lane,
            seq=seq,
        ) from error


def _find_place(raw: bytes) -> tuple[ingest_pb2.Lane.ValueType, int]:
    """The place of a frame that is broken further in; unset when that can't be read either."""
    lane, seq = 0, 0
    for number, value in _fields(raw):
        if number in _STORED and isinstance(value, bytes):
            for inner_number, inner in _fields(value):
                if inner_number == _LANE and isinstance(inner, int):
                    lane = inner
                elif inner_number == _SEQ and isinstance(inner, int):
                    seq = inner
    if lane not in (ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL) or not seq:
        return ingest_pb2.LANE_UNSPECIFIED, 0
    return ingest_pb2.Lane.ValueType(lane), seq


def _fields(raw: bytes) -> list[tuple[int, object]]:
    """The fields of a message that nothing is known of: a message without fields keeps them all."""
    try:
        message: Message = Empty.FromString(raw)
    except DecodeError:
        return []
    fields = UnknownFieldSet(message)
    return [(fields[index].field_number, fields[index].data) for index in range(len(fields))]

"""Frames on the wire: what can't be read is named by its place as far as that can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.v1 import ingest_pb2, telemetry_pb2
from services.ingest.intake.lanes import ProtocolError
from services.ingest.intake.wire import read_request

LIVE, BACKFILL = ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL
Request = ingest_pb2.StreamTelemetryRequest


def _broken(lane: ingest_pb2.Lane.ValueType, seq: int) -> bytes:
    """A batch with a label that is no UTF-8."""
    layout = telemetry_pb2.Layout(layout_id=1, series=[telemetry_pb2.Series(label_values=["\x01\x02"])])
    batch = ingest_pb2.MetricBatch(lane=lane, seq=seq, layouts=[layout])
    return Request(metric_batch=batch).SerializeToString().replace(b"\x01\x02", b"\xc3\x28")


def _place(raw: bytes) -> tuple[int, int]:
    with pytest.raises(ProtocolError) as refusal:
        read_request(raw)
    assert refusal.value.code == ingest_pb2.FATAL_CODE_MALFORMED
    return refusal.value.lane, refusal.value.seq


@given(lane=st.sampled_from([LIVE, BACKFILL]), seq=st.integers(1, 2**64 - 1))
def test_a_frame_that_is_broken_within_is_named(lane: ingest_pb2.Lane.ValueType, seq: int) -> None:
    assert _place(_broken(lane, seq)) == (lane, seq)


@pytest.mark.parametrize(
    "raw",
    [b"\xff" * 10, _broken(LIVE, 7)[:-1], _broken(ingest_pb2.LANE_UNSPECIFIED, 7), _broken(LIVE, 0)],
    ids=["no message", "cut short", "no lane", "no place"],
)
def test_a_place_that_can_not_be_read_is_unset(raw: bytes) -> None:
    assert _place(raw) == (ingest_pb2.LANE_UNSPECIFIED, 0)


@given(raw=st.binary(max_size=100) | st.binary(max_size=60).map(lambda inner: b"\x12" + bytes([len(inner)]) + inner))
def test_whatever_comes_it_is_a_frame_or_a_broken_protocol(raw: bytes) -> None:
    lane: int = ingest_pb2.LANE_UNSPECIFIED
    try:
        read_request(raw)
    except ProtocolError as error:
        lane = error.lane

    assert lane in (ingest_pb2.LANE_UNSPECIFIED, LIVE, BACKFILL)

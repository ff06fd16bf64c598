"""The transcoder's JSON against protobuf's own, on the same answer in the same run."""

import statistics
import timeit
from collections.abc import Callable

from google.protobuf.json_format import MessageToJson, Parse

from flick.v1 import query_pb2
from gateway.transcode import Encoder
from tests.bench.result import Result

RUNS = 7
CALLS = 300


def answer() -> query_pb2.GetLatestMetricsResponse:
    """A full answer: every scalar metric and some labelled ones, about 4 KB of JSON."""
    response = query_pb2.GetLatestMetricsResponse()
    response.time.FromMilliseconds(1_760_000_000_123)
    for number in range(40):
        labels = {"network.interface.name": f"eth{number}", "network.io.direction": "receive"} if number > 25 else {}
        response.values.add(name=f"system.network.io.{number}", labels=labels, value=number * 1234.5678)
    return response


async def measure(_seconds: float) -> list[Result]:
    """Microseconds per answer, ours over json_format's."""
    message = answer()
    encoder = Encoder(query_pb2.GetLatestMetricsResponse.DESCRIPTOR)
    same = Parse(encoder.to_json(message), query_pb2.GetLatestMetricsResponse())
    assert same == message, "the two disagree; a figure would mean nothing"
    ours, theirs = _alternating(
        lambda: encoder.to_json(message), lambda: MessageToJson(message, always_print_fields_with_no_presence=True)
    )
    return [Result(name="transcode_out", value=ours, ceiling=theirs, unit="us", goal=1 / 2.5)]


def _alternating(*calls: Callable[[], object]) -> list[float]:
    """Median microseconds per call of each, measured in turns so that a drifting machine drifts for all."""
    rounds = [[timeit.timeit(call, number=CALLS) / CALLS * 1e6 for call in calls] for _ in range(RUNS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]

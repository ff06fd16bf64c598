"""The transcoder's JSON against protobuf's own, on the same messages in the same run, in processor time."""

import statistics
import time
from collections.abc import Callable

from google.protobuf.json_format import MessageToJson, Parse

from flick.v1 import push_pb2, query_pb2
from gateway.transcode import Json, Types
from gateway.transcode.marshal.codecs import JsonCodec
from tests.bench.result import Result

RUNS = 9
CALLS = 300
ANSWER_BYTES = 1800
REQUEST_BYTES = 1000


def answer() -> query_pb2.GetLatestMetricsResponse:
    """An answer of 1.8 KB: scalar metrics and some labelled ones."""
    response = query_pb2.GetLatestMetricsResponse()
    response.time.FromMilliseconds(1_760_000_000_123)
    for number in range(19):
        labels = {"network.interface.name": f"eth{number}", "network.io.direction": "receive"} if number > 13 else {}
        response.values.add(name=f"system.network.io.{number}", labels=labels, value=number * 1234.5678)
    return response


def request() -> push_pb2.PushMetricsRequest:
    """A request of 1 KB: values with a label each."""
    pushed = push_pb2.PushMetricsRequest(server_id="0199f3a2-7c1e-7cc2-9a6a-0242ac120002")
    for number in range(13):
        pushed.values.add(name=f"shop.orders.{number}", labels={"region": f"eu-{number}"}, value=number * 12.25)
    return pushed


async def measure_out(_seconds: float) -> list[Result]:
    """Microseconds per answer, ours over MessageToJson's."""
    message = answer()
    write = JsonCodec(Types(), Json()).answer(query_pb2.GetLatestMetricsResponse.DESCRIPTOR, "")
    same = Parse(write(message), query_pb2.GetLatestMetricsResponse())
    assert same == message, "the two disagree; a figure would mean nothing"
    assert abs(len(write(message)) - ANSWER_BYTES) < ANSWER_BYTES / 10
    ours, theirs = _alternating(
        lambda: write(message), lambda: MessageToJson(message, always_print_fields_with_no_presence=True)
    )
    return [Result(name="transcode_out", value=ours, ceiling=theirs, unit="us", goal=1 / 2.5)]


async def measure_in(_seconds: float) -> list[Result]:
    """Microseconds per request, ours over Parse's."""
    message = request()
    body = MessageToJson(message, indent=None).encode()
    read = JsonCodec(Types(), Json()).whole(push_pb2.PushMetricsRequest.DESCRIPTOR)

    def ours() -> push_pb2.PushMetricsRequest:
        fresh = push_pb2.PushMetricsRequest()
        read(fresh, body)
        return fresh

    assert ours() == message, "the two disagree; a figure would mean nothing"
    assert abs(len(body) - REQUEST_BYTES) < REQUEST_BYTES / 10
    own, theirs = _alternating(ours, lambda: Parse(body, push_pb2.PushMetricsRequest()))
    return [Result(name="transcode_in", value=own, ceiling=theirs, unit="us", goal=1 / 2)]


def _alternating(*calls: Callable[[], object]) -> list[float]:
    """Median microseconds of processor time per call of each, measured in turns so that a drifting machine drifts for
    all."""
    rounds = [[_cpu_us(call) for call in calls] for _ in range(RUNS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def _cpu_us(call: Callable[[], object]) -> float:
    began = time.thread_time()
    for _ in range(CALLS):
        call()
    return (time.thread_time() - began) / CALLS * 1e6

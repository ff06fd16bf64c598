"""An agent that does what a test says, over a real gRPC stream."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from flick.errors import FlickError
from flick.ids import new_id
from flick.rpc.client import open_channel
from flick.rpc.status import from_rpc_error
from flick.v1 import ingest_pb2, ingest_pb2_grpc, telemetry_pb2

Request = ingest_pb2.StreamTelemetryRequest
Call: TypeAlias = "grpc.aio.StreamStreamCall[ingest_pb2.StreamTelemetryRequest, ingest_pb2.StreamTelemetryResponse]"

SECOND_NS = 10**9
LIVE, BACKFILL = ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL


def sample(
    time_ns: int,
    *core: float,
    layout_id: int = 0,
    labelled: Sequence[float] = (),
    processes: Iterable[telemetry_pb2.Process] = (),
) -> telemetry_pb2.Sample:
    """A sample; by default it measured only the processors' utilization."""
    snapshot = telemetry_pb2.ProcessSnapshot(processes=processes)
    return telemetry_pb2.Sample(
        time_unix_nano=time_ns,
        core=core or (0.5,),
        layout_id=layout_id,
        labelled=labelled,
        processes=snapshot.SerializeToString(),
    )


def batch(
    seq: int,
    *samples: telemetry_pb2.Sample,
    lane: ingest_pb2.Lane.ValueType = LIVE,
    layouts: Iterable[telemetry_pb2.Layout] = (),
) -> ingest_pb2.MetricBatch:
    """A batch in the live lane, or in another."""
    return ingest_pb2.MetricBatch(lane=lane, seq=seq, samples=samples, layouts=layouts)


def now_ns() -> int:
    """Now, to the microsecond, as it is stored."""
    return time.time_ns() // 1000 * 1000


class ScriptedAgent:
    """One stream."""

    def __init__(self, *, call: Call, spool_id: str = "") -> None:
        self.call = call
        self.spool_id = spool_id or str(new_id())
        self.heard: list[ingest_pb2.StreamTelemetryResponse] = []

    async def hello(self, *, live: int = 1, backfill: int = 1, spool_id: str = "") -> ingest_pb2.Welcome:
        """Say Hello; the answer."""
        hello = ingest_pb2.Hello(
            agent_version="0.0.0",
            spool_id=spool_id or self.spool_id,
            lanes=[
                ingest_pb2.LanePosition(lane=LIVE, seq=live),
                ingest_pb2.LanePosition(lane=BACKFILL, seq=backfill),
            ],
        )
        hello.send_time.FromNanoseconds(time.time_ns())
        await self.send(hello)
        welcome: ingest_pb2.Welcome = await self.expect(ingest_pb2.Welcome)
        return welcome

    async def send(self, frame: Message) -> None:
        """Send a frame of any kind."""
        await self.call.write(Request(**{_FIELDS[type(frame)]: frame}))  # type: ignore[arg-type]

    async def expect(self, kind: type[Any], *, within_s: float = 10.0) -> Any:
        """The next frame of this kind; those of other kinds before it are kept in `heard`."""
        async with asyncio.timeout(within_s):
            while True:
                response = await self.call.read()
                if not isinstance(response, ingest_pb2.StreamTelemetryResponse):
                    raise AssertionError(f"the stream ended: {await self.call.code()} {await self.call.details()}")
                self.heard.append(response)
                frame = getattr(response, response.WhichOneof("frame") or "")
                if isinstance(frame, kind):
                    return frame

    async def acked(self, seq: int, *, lane: int = LIVE, within_s: float = 10.0) -> list[ingest_pb2.Rejection]:
        """Wait until everything of a lane up to `seq` is acked; what was rejected on the way."""
        rejected: list[ingest_pb2.Rejection] = []
        while True:
            ack = await self.expect(ingest_pb2.Ack, within_s=within_s)
            rejected += ack.rejected
            if ack.lane == lane and ack.seq >= seq:
                return rejected

    async def ending(self, *, within_s: float = 10.0, leave: bool = True) -> FlickError | None:
        """Read to the end; the error by which the stream ends, None when it ends well.

        At a Fatal the agent leaves, as it should, unless `leave` is false.
        """
        async with asyncio.timeout(within_s):
            try:
                while isinstance(response := await self.call.read(), ingest_pb2.StreamTelemetryResponse):
                    self.heard.append(response)
                    if leave and response.HasField("fatal"):
                        await self.call.done_writing()
            except grpc.aio.AioRpcError as error:
                return from_rpc_error(error)
        return None

    async def chat(self, *frames: Message) -> None:
        """Write without a pause, these frames among others, until a Fatal is read or the stream has ended."""
        waiting = [*frames, *[ingest_pb2.Pong()] * 5]
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while not any(response.HasField("fatal") for response in self.heard):
                await self.send(waiting.pop() if waiting else ingest_pb2.Pong())

    def last(self, kind: str) -> Any:
        """The last frame of a kind that was heard, by the name of its field."""
        return next(getattr(one, kind) for one in reversed(self.heard) if one.HasField(kind))  # type: ignore[arg-type]


@asynccontextmanager
async def scripted_agent(address: str, *, key: str, ca_pem: bytes | None = None) -> AsyncIterator[ScriptedAgent]:
    """A stream to the ingest at `address` that has not said Hello yet."""
    async with open_channel(address, ca_pem=ca_pem) as channel:
        stub: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
        call = stub.StreamTelemetry(metadata=(("authorization", f"Bearer {key}"),))
        try:
            yield ScriptedAgent(call=call, spool_id=f"the one of {key}")
        finally:
            call.cancel()


_FIELDS: dict[type[Message], str] = {
    ingest_pb2.Hello: "hello",
    ingest_pb2.MetricBatch: "metric_batch",
    ingest_pb2.LogBatch: "log_batch",
    ingest_pb2.Gap: "gap",
    ingest_pb2.LiveBatch: "live_batch",
    ingest_pb2.Pong: "pong",
    ingest_pb2.CommandOutput: "command_output",
}

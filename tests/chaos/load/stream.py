"""One stream of a simulated agent, from Hello to its end, as the contract wants it."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import grpc

from flick.errors import FlickError, Kind
from flick.rpc.status import from_rpc_error
from flick.v1 import ingest_pb2, telemetry_pb2
from tests.chaos.load.lanes import BACKFILL, LANES, LIVE, Batch, Held

Request: TypeAlias = ingest_pb2.StreamTelemetryRequest
Response: TypeAlias = ingest_pb2.StreamTelemetryResponse
Lane: TypeAlias = ingest_pb2.Lane.ValueType
Call = Any  # grpc.aio.StreamStreamCall; its stubs know no read and write

STOPPED_S = 1.0  # as the agent has it


class Listener(Protocol):
    """Whoever wants to know what becomes of batches."""

    def welcomed(self) -> None:
        """Ingest took the stream."""
        ...

    def sending(self, batch: Batch) -> None:
        """A new batch is about to be sent for the first time."""
        ...

    def heard(self, ack: ingest_pb2.Ack, batches: list[Batch]) -> None:
        """These batches are acked."""
        ...

    def fatal(self, fatal: ingest_pb2.Fatal) -> None:
        """Ingest refuses something for good."""
        ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ended. With `come_back_s` ingest asked for it; `error` is what the call ended with."""

    come_back_s: float | None = None
    error: FlickError | None = None


@dataclass(slots=True)
class _Cursor:
    next: int
    unacked: dict[int, int] = field(default_factory=dict)  # bytes by seq
    not_before_s: float = 0.0


class LoadStream:
    """A stream.

    Args:
        call: just made.
        hello: all but the positions of its lanes, and but the time, unless it is there.
        layout: what every sample uses; told with each batch until the first ack.
        held: what is to be sent.
        listener: told of everything.
        silent_s: for how long ingest may say nothing.
        backfill_every_s: between two batches of the backlog.
    """

    def __init__(
        self,
        *,
        call: Call,
        hello: ingest_pb2.Hello,
        layout: telemetry_pb2.Layout,
        held: Held,
        listener: Listener,
        silent_s: float,
        backfill_every_s: float,
    ) -> None:
        self._call = call
        self._hello = hello
        self._layout = layout
        self._declared = False
        self._welcomed = False
        self._held = held
        self._listener = listener
        self._silent_s = silent_s
        self._backfill_every_s = backfill_every_s
        self._cursors = {lane: _Cursor(next=held.position(lane)) for lane in LANES}
        self._credit = ingest_pb2.Welcome(max_unacked_batches=1, max_unacked_bytes=1)
        self._answers: list[Request] = []
        self._wake = asyncio.Event()
        self._drain: ingest_pb2.Drain | None = None
        self._drain_until_s = 0.0

    def wake(self) -> None:
        """There is something new to send."""
        self._wake.set()

    async def run(self) -> Ending:
        """Speak until the stream ends."""
        try:
            await self._greet()
            sending = asyncio.create_task(self._send_all())
            try:
                while (frame := await self._read()) is not None:
                    self._take(frame)
                    self._wake.set()
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        except grpc.aio.AioRpcError as error:
            return self._ending(from_rpc_error(error))
        except (TimeoutError, asyncio.InvalidStateError):
            return self._ending(None)
        finally:
            self._call.cancel()
        return self._ending(None)

    def _ending(self, error: FlickError | None) -> Ending:
        if self._drain is not None:
            return Ending(come_back_s=self._drain.reconnect_after.ToNanoseconds() / 1e9)
        if error is not None and error.kind is Kind.CANCELLED and not self._welcomed:
            return Ending(come_back_s=STOPPED_S)  # gRPC's answer to a call that meets a server which stops
        return Ending(error=error)

    async def _greet(self) -> None:
        async with asyncio.timeout(self._silent_s):
            await self._call.wait_for_connection()
        if not self._hello.HasField("send_time"):  # else by a clock of the agent's own
            self._hello.send_time.FromNanoseconds(time.time_ns())
        for lane, cursor in self._cursors.items():
            self._hello.lanes.add(lane=lane, seq=cursor.next)
        await self._call.write(Request(hello=self._hello))
        frame = await self._read()
        if frame is None or not frame.HasField("welcome"):
            if frame is not None:
                self._take(frame)
            raise TimeoutError
        self._welcomed = True
        self._credit = frame.welcome
        self._held.demote()
        self._listener.welcomed()

    async def _read(self) -> Response | None:
        left_s = self._drain_until_s - time.monotonic() if self._drain else self._silent_s
        async with asyncio.timeout(max(0.0, left_s)):
            frame = await self._call.read()
        return frame if isinstance(frame, Response) else None

    def _take(self, frame: Response) -> None:
        match frame.WhichOneof("frame"):
            case "ack":
                self._declared = True
                unacked = self._cursors[frame.ack.lane].unacked
                for seq in [seq for seq in unacked if seq <= frame.ack.seq]:
                    del unacked[seq]
                self._listener.heard(frame.ack, self._held.ack(frame.ack.lane, frame.ack.seq))
            case "retry_after":
                self._rewind(frame.retry_after)
            case "fatal":
                self._listener.fatal(frame.fatal)
            case "drain":
                self._drain = frame.drain
                self._drain_until_s = time.monotonic() + frame.drain.deadline.ToNanoseconds() / 1e9
            case "ping":
                self._answers.append(Request(pong=ingest_pb2.Pong(ping_id=frame.ping.ping_id)))

    def _rewind(self, again: ingest_pb2.RetryAfter) -> None:
        cursor = self._cursors[again.lane]
        cursor.next = min(cursor.next, max(again.seq, self._held.position(again.lane)))
        cursor.unacked = {seq: size for seq, size in cursor.unacked.items() if seq < cursor.next}
        cursor.not_before_s = time.monotonic() + again.delay.ToNanoseconds() / 1e9
        self._declared = False

    async def _send_all(self) -> None:
        """Send what may be sent, until a drained stream has its last ack."""
        while True:
            self._wake.clear()
            frame = self._next()
            if frame is not None:
                await self._call.write(frame)
            elif self._drain is not None and not any(cursor.unacked for cursor in self._cursors.values()):
                await self._call.done_writing()
                return
            else:
                await self._nap()

    async def _nap(self) -> None:
        now_s = time.monotonic()
        waits = [cursor.not_before_s - now_s for cursor in self._cursors.values() if cursor.not_before_s > now_s]
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._wake.wait()
        except TimeoutError:
            return

    def _next(self) -> Request | None:
        if self._answers:
            return self._answers.pop()
        if self._drain is not None:
            return None
        return self._next_of(LIVE, self._credit.max_unacked_batches) or self._next_of(
            BACKFILL, max(1, self._credit.max_unacked_batches // 2)
        )

    def _next_of(self, lane: Lane, most: int) -> Request | None:
        cursor = self._cursors[lane]
        others = sum(len(one.unacked) for one in self._cursors.values())
        if len(cursor.unacked) >= most or others >= self._credit.max_unacked_batches:
            return None
        if time.monotonic() < cursor.not_before_s:
            return None
        batch, new = self._held.batch(lane, cursor.next)
        if batch is None:
            return None
        if new:
            self._listener.sending(batch)
        request = _request(batch, None if self._declared else self._layout)
        on_their_way = sum(sum(one.unacked.values()) for one in self._cursors.values())
        if on_their_way and on_their_way + request.ByteSize() > self._credit.max_unacked_bytes:
            return None
        cursor.unacked[batch.seq] = request.ByteSize()
        cursor.next += 1
        if lane == BACKFILL:
            cursor.not_before_s = time.monotonic() + self._backfill_every_s
        return request


def _request(batch: Batch, layout: telemetry_pb2.Layout | None) -> Request:
    message = ingest_pb2.MetricBatch(lane=batch.lane, seq=batch.seq, layouts=[layout] if layout else ())
    for one in batch.samples:
        message.samples.add().ParseFromString(one.payload)
    return Request(metric_batch=message)

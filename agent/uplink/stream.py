"""One stream to ingest, from Hello to its end."""

import asyncio
import contextlib
from collections import deque
from typing import Any

import grpc

from agent.sampler.orders import Orders
from agent.spool.frame import BACKFILL, LIVE
from agent.spool.spool import Spool
from agent.uplink.ending import (
    Ending,
    EndKind,
    StreamEndedError,
    ending_by_drain,
    ending_by_fatal,
    ending_by_status,
)
from agent.uplink.flow import Flow
from agent.uplink.greeting import Greeting
from agent.uplink.inbox import Inbox
from flick.clock import Clock
from flick.v1 import ingest_pb2, servers_pb2, telemetry_pb2

_NS = 1_000_000_000
SILENT_S = 30.0  # flick.v1.Ping: a side that hears nothing for 30 s gives the stream up
_SHOWN_AT_MOST = 2  # samples for the eyes only: what is older than that nobody wants to see

Call = Any  # grpc.aio.StreamStreamCall; its stubs know no read and write


class Stream:
    """A call of StreamTelemetry and what is known on it.

    Args:
        call: the call, just made.
        greeting: how to open it.
        overflows: see `Inbox`.
        silent_s: how long ingest may say nothing.
    """

    def __init__(
        self,
        *,
        call: Call,
        greeting: Greeting,
        spool: Spool,
        orders: Orders,
        clock: Clock,
        overflows: set[ingest_pb2.OverflowKind.ValueType],
        silent_s: float = SILENT_S,
    ) -> None:
        self._call = call
        self._greeting = greeting
        self._spool = spool
        self._orders = orders
        self._clock = clock
        self._overflows = overflows
        self._silent_s = silent_s
        self._flow: Flow | None = None
        self._told_host = servers_pb2.Host()
        self._wake = asyncio.Event()
        self._shown: deque[tuple[telemetry_pb2.Sample, telemetry_pb2.Layout | None]] = deque(maxlen=_SHOWN_AT_MOST)
        self._leaving: Ending | None = None
        self._leave_at_s = 0.0
        self.welcomed_at_s: float | None = None

    def wake(self) -> None:
        """There is something new to send."""
        self._wake.set()

    def show(self, sample: telemetry_pb2.Sample, layout: telemetry_pb2.Layout | None) -> None:
        """Send a sample that is for viewers only, unless the stream is busy with newer ones."""
        self._shown.append((sample, layout))
        self._wake.set()

    def finish(self) -> None:
        """Send what waits, wait for its acks, and end."""
        self._leave(Ending(EndKind.STOPPED), within_s=self._silent_s)

    async def run(self) -> Ending:
        """Speak until the stream ends; never raises for an end of any kind."""
        try:
            await self._connect()
            self._flow = flow = await self._greet()
            inbox = Inbox(
                flow=flow,
                spool=self._spool,
                orders=self._orders,
                clock=self._clock,
                spool_status=self._greeting.spool_status,
                host=self._greeting.host,
                told_host=self._told_host,
                overflows=self._overflows,
            )
            await self._talk(flow, inbox)
        except StreamEndedError as ended:
            return ended.ending
        finally:
            self._call.cancel()
            self._orders.nobody_watches()
        raise AssertionError("a talk ends by StreamEndedError only")

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._silent_s):
                await self._call.wait_for_connection()
        except TimeoutError:
            raise StreamEndedError(Ending(EndKind.UNREACHABLE, "no connection in time")) from None
        except grpc.aio.AioRpcError as error:
            raise StreamEndedError(ending_by_status(error, welcomed=False)) from None

    async def _greet(self) -> Flow:
        sent_s = self._clock.monotonic_s()
        hello = self._greeting.hello()
        self._told_host = hello.hello.host
        await self._write(hello)
        frame = await self._read()
        match frame.WhichOneof("frame"):
            case "welcome":
                self.welcomed_at_s = self._clock.monotonic_s()
                return self._greeting.accept(frame.welcome, round_trip_s=self.welcomed_at_s - sent_s)
            case "fatal":
                raise StreamEndedError(ending_by_fatal(frame.fatal))
            case "drain":
                raise StreamEndedError(ending_by_drain(frame.drain))
        raise StreamEndedError(Ending(EndKind.FAILED, "ingest's first frame was no Welcome"))

    async def _talk(self, flow: Flow, inbox: Inbox) -> None:
        # No TaskGroup: before Python 3.13 it loses a cancellation that meets the failure of one of its tasks.
        tasks = [asyncio.create_task(self._write_frames(flow, inbox)), asyncio.create_task(self._read_frames(inbox))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_frames(self, inbox: Inbox) -> None:
        while True:
            inbox.take(await self._read())
            if inbox.drain is not None:
                self._leave(ending_by_drain(inbox.drain), within_s=inbox.drain.deadline.ToNanoseconds() / _NS)
            self._wake.set()

    async def _read(self) -> ingest_pb2.StreamTelemetryResponse:
        left_s = self._silent_s
        if self._leaving is not None:
            left_s = min(left_s, max(0.0, self._leave_at_s - self._clock.monotonic_s()))
        try:
            async with asyncio.timeout(left_s):
                frame = await self._call.read()
        except TimeoutError:
            silent = Ending(EndKind.FAILED, f"ingest was silent for {self._silent_s:g} s")
            raise StreamEndedError(self._leaving or silent) from None
        except grpc.aio.AioRpcError as error:
            if _is_too_large(error) and self._flow is not None:
                self._split_largest(self._flow)
            ending = ending_by_status(error, welcomed=self.welcomed_at_s is not None)
            raise StreamEndedError(self._leaving or ending) from None
        except asyncio.InvalidStateError:
            frame = grpc.aio.EOF
        if not isinstance(frame, ingest_pb2.StreamTelemetryResponse):
            raise StreamEndedError(self._leaving or Ending(EndKind.FAILED, "ingest ended the stream"))
        return frame

    def _split_largest(self, flow: Flow) -> None:
        """Nobody says which frame was too large."""
        if flow.largest is not None and not flow.stale:
            lane, seq = flow.largest
            self._spool.split(lane, seq)

    def _leave(self, ending: Ending, *, within_s: float) -> None:
        if self._leaving is None:
            self._leaving = ending
            self._leave_at_s = self._clock.monotonic_s() + within_s
            self._wake.set()

    async def _write_frames(self, flow: Flow, inbox: Inbox) -> None:
        """Send what may be sent, until nothing more is to be said on this stream."""
        while True:
            self._wake.clear()
            frame = self._next_frame(flow, inbox)
            if flow.stale:
                raise StreamEndedError(Ending(EndKind.FAILED, "the spool has moved, and with it its sequences"))
            if frame is not None:
                if not await self._write(frame):
                    return
            elif self._leaving is not None and flow.idle and self._has_said_all(self._leaving):
                with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    await self._call.done_writing()
                return
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(flow.ready_in_s()):
                        await self._wake.wait()

    def _has_said_all(self, leaving: Ending) -> bool:
        return leaving.kind is not EndKind.STOPPED or self._spool.held() == 0

    def _next_frame(self, flow: Flow, inbox: Inbox) -> ingest_pb2.StreamTelemetryRequest | None:
        answer = inbox.answer()
        if answer is not None:
            return answer
        if self._leaving is not None and self._leaving.kind is EndKind.DRAINED:
            return None
        live = flow.next(LIVE)
        if live is not None:
            return live
        if self._shown:
            sample, layout = self._shown.popleft()
            batch = ingest_pb2.LiveBatch(samples=[sample], layouts=flow.declare(layout) if layout else ())
            return ingest_pb2.StreamTelemetryRequest(live_batch=batch)
        return flow.next(BACKFILL)

    async def _write(self, frame: ingest_pb2.StreamTelemetryRequest) -> bool:
        """Whether it could be sent. When the stream has ended, the next reading tells how."""
        try:
            await self._call.write(frame)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False
        return True


def _is_too_large(error: grpc.aio.AioRpcError) -> bool:
    """Whether gRPC itself refused a message; what FLick refuses carries details of its own."""
    own = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
    return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and not own

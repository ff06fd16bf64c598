"""One stream to ingest, from Hello to its end."""

import asyncio
import contextlib
import logging
from collections import deque
from typing import Any

import grpc

from agent.network.diagnosis import clock_off
from agent.sampler.orders import Orders
from agent.sampler.timeline import Timeline
from agent.spool.frame import BACKFILL, LIVE
from agent.spool.spool import Spool, UnknownSeqError
from agent.uplink.ending import Ending, EndKind, StreamEndedError
from agent.uplink.flow import Flow
from flick.clock import Clock
from flick.v1 import ingest_pb2, servers_pb2, telemetry_pb2

_NS = 1_000_000_000
SILENT_S = 30.0  # flick.v1.Ping: a side that hears nothing for 30 s gives the stream up
_CLOCK_OFF_S = 5.0
_SLOW_ANSWER_S = 5.0  # half of a longer round trip says nothing about ingest's clock
_SHOWN_AT_MOST = 2  # samples for the eyes only: what is older than that nobody wants to see
_ANSWERS_AT_MOST = 64  # pongs and refusals that wait; ingest sends far fewer

Call = Any  # grpc.aio.StreamStreamCall; its stubs know no read and write
logger = logging.getLogger(__name__)


class Stream:
    """A call of StreamTelemetry and what is known on it.

    Args:
        call: the call, just made.
        silent_s: how long ingest may say nothing.
    """

    def __init__(
        self,
        *,
        call: Call,
        spool: Spool,
        orders: Orders,
        timeline: Timeline,
        clock: Clock,
        host: servers_pb2.Host,
        version: str,
        silent_s: float = SILENT_S,
    ) -> None:
        self._call = call
        self._spool = spool
        self._orders = orders
        self._timeline = timeline
        self._clock = clock
        self._host = host
        self._version = version
        self._silent_s = silent_s
        self._flow: Flow | None = None
        self._wake = asyncio.Event()
        self._answers: deque[ingest_pb2.StreamTelemetryRequest] = deque(maxlen=_ANSWERS_AT_MOST)
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
            await self._greet()
            await self._talk()
        except StreamEndedError as ended:
            return ended.ending
        finally:
            self._call.cancel()
            self._orders.nobody_watches()
        raise AssertionError("a talk ends by StreamEndedError only")

    async def _talk(self) -> None:
        # No TaskGroup: before Python 3.13 it loses a cancellation that meets the failure of one of its tasks.
        tasks = [asyncio.create_task(self._write_frames()), asyncio.create_task(self._read_frames())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _greet(self) -> None:
        try:
            async with asyncio.timeout(self._silent_s):
                await self._call.wait_for_connection()
        except TimeoutError:
            raise StreamEndedError(Ending(EndKind.UNREACHABLE, "no connection in time")) from None
        except grpc.aio.AioRpcError as error:
            raise StreamEndedError(_from_status(error, welcomed=False)) from None
        sent_s = self._clock.monotonic_s()
        await self._write(ingest_pb2.StreamTelemetryRequest(hello=self._hello()))
        frame = await self._read()
        if frame.WhichOneof("frame") != "welcome":
            self._take(frame)  # a Fatal or Drain ends the stream by itself
            raise StreamEndedError(Ending(EndKind.FAILED, "ingest's first frame was no Welcome"))
        self._take_welcome(frame.welcome, round_trip_s=self._clock.monotonic_s() - sent_s)

    def _hello(self) -> ingest_pb2.Hello:
        hello = ingest_pb2.Hello(agent_version=self._version, spool_id=self._spool.spool_id, host=self._host)
        hello.send_time.FromNanoseconds(self._clock.time_unix_nano())
        for lane in (LIVE, BACKFILL):
            hello.lanes.add(lane=lane, seq=self._spool.position(lane))
        return hello

    def _take_welcome(self, welcome: ingest_pb2.Welcome, *, round_trip_s: float) -> None:
        self.welcomed_at_s = self._clock.monotonic_s()
        way_back_s = round_trip_s / 2 if round_trip_s < _SLOW_ANSWER_S else 0.0
        server_time_ns = welcome.server_time.ToNanoseconds() + round(way_back_s * _NS)
        self._compare_clocks((self._clock.time_unix_nano() - server_time_ns) / _NS)
        moved_ns = self._timeline.correct(server_time_ns=server_time_ns)
        if moved_ns:
            self._spool.move(moved_ns)
        self._spool.demote()
        self._flow = Flow(
            spool=self._spool,
            clock=self._clock,
            max_batches=welcome.max_unacked_batches,
            max_bytes=welcome.max_unacked_bytes,
        )
        self._take_settings(welcome.settings)
        self._orders.live_mode(welcome.live_mode)
        self._orders.clock_moved()
        logger.info("streaming", extra={"server_id": welcome.server_id, "held_samples": self._spool.held()})

    def _compare_clocks(self, ahead_s: float) -> None:
        if abs(ahead_s) < _CLOCK_OFF_S:
            return
        logger.warning("%s; until then samples carry FLick's time", clock_off(ahead_s))

    async def _read_frames(self) -> None:
        while True:
            self._take(await self._read())

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
            raise StreamEndedError(self._leaving or _from_status(error, welcomed=self._flow is not None)) from None
        except asyncio.InvalidStateError:
            frame = grpc.aio.EOF
        if frame is grpc.aio.EOF:
            raise StreamEndedError(self._leaving or Ending(EndKind.FAILED, "ingest ended the stream"))
        return frame  # type: ignore[no-any-return]  # grpc's stubs say Any

    def _take(self, frame: ingest_pb2.StreamTelemetryResponse) -> None:
        kind = frame.WhichOneof("frame")
        if kind == "fatal":
            self._take_fatal(frame.fatal)
        elif kind == "drain":
            self._take_drain(frame.drain)
        elif kind == "ping":
            self._answer(ingest_pb2.StreamTelemetryRequest(pong=ingest_pb2.Pong(ping_id=frame.ping.ping_id)))
        elif kind == "settings":
            self._take_settings(frame.settings)
        elif kind == "live_mode":
            self._orders.live_mode(frame.live_mode)
        elif kind == "command":
            self._refuse_command(frame.command)
        elif kind in ("ack", "retry_after") and self._flow is not None:
            self._take_answer(self._flow, frame)
        # A frame of a later version of the contract says nothing to this agent.

    def _take_answer(self, flow: Flow, frame: ingest_pb2.StreamTelemetryResponse) -> None:
        try:
            if frame.WhichOneof("frame") == "ack":
                flow.acked(frame.ack.lane, frame.ack.seq)
                self._tell_rejections(frame.ack)
            else:
                again = frame.retry_after
                flow.retry_after(again.lane, again.seq, again.delay.seconds + again.delay.nanos / _NS)
        except UnknownSeqError as error:
            raise StreamEndedError(Ending(EndKind.FAILED, f"ingest breaks the protocol: {error}")) from error
        self._wake.set()

    def _tell_rejections(self, ack: ingest_pb2.Ack) -> None:
        for rejection in ack.rejected:
            logger.warning(
                "ingest did not store %d samples: %s",
                rejection.count,
                rejection.detail,
                extra={"reason": ingest_pb2.RejectionReason.Name(rejection.reason), "seq": rejection.seq},
            )

    def _take_settings(self, settings: ingest_pb2.Settings) -> None:
        if settings.HasField("server"):
            self._orders.settings(settings.server)

    def _take_fatal(self, fatal: ingest_pb2.Fatal) -> None:
        if fatal.code in (ingest_pb2.FATAL_CODE_REVOKED, ingest_pb2.FATAL_CODE_SUPERSEDED):
            raise StreamEndedError(Ending(EndKind.REFUSED, fatal.message))
        if fatal.lane != ingest_pb2.LANE_UNSPECIFIED:
            # The next stream carries a Gap in the frame's place, so that this one is not refused for ever.
            with contextlib.suppress(UnknownSeqError, KeyError):
                self._spool.refuse(fatal.lane, fatal.seq)
        raise StreamEndedError(Ending(EndKind.FAILED, f"ingest refused: {fatal.message}"))

    def _take_drain(self, drain: ingest_pb2.Drain) -> None:
        come_back_s = drain.reconnect_after.seconds + drain.reconnect_after.nanos / _NS
        ending = Ending(EndKind.DRAINED, come_back_s=max(0.0, come_back_s))
        if self._flow is None:
            raise StreamEndedError(ending)
        self._leave(ending, within_s=drain.deadline.seconds + drain.deadline.nanos / _NS)

    def _refuse_command(self, command: ingest_pb2.Command) -> None:
        refusal = ingest_pb2.CommandOutput(command_id=command.command_id, refusal="this agent runs no commands")
        self._answer(ingest_pb2.StreamTelemetryRequest(command_output=refusal))

    def _answer(self, frame: ingest_pb2.StreamTelemetryRequest) -> None:
        self._answers.append(frame)
        self._wake.set()

    def _leave(self, ending: Ending, *, within_s: float) -> None:
        if self._leaving is None:
            self._leaving = ending
            self._leave_at_s = self._clock.monotonic_s() + within_s
            self._wake.set()

    async def _write_frames(self) -> None:
        """Send what may be sent, until nothing more is to be said on this stream."""
        flow = self._flow
        assert flow is not None
        while True:
            self._wake.clear()
            frame = self._next_frame(flow)
            if frame is not None:
                if not await self._write(frame):
                    return
            elif self._leaving is not None and flow.idle and self._has_said_all():
                with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    await self._call.done_writing()
                return
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(flow.ready_in_s()):
                        await self._wake.wait()

    def _has_said_all(self) -> bool:
        stopping = self._leaving is not None and self._leaving.kind is EndKind.STOPPED
        return not stopping or self._spool.held() == 0

    def _next_frame(self, flow: Flow) -> ingest_pb2.StreamTelemetryRequest | None:
        if self._answers:
            return self._answers.popleft()
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


def _from_status(error: grpc.aio.AioRpcError, *, welcomed: bool) -> Ending:
    code, details = error.code(), error.details() or ""
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return Ending(EndKind.REFUSED, details)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Ending(EndKind.REFUSED, "what answers there is no FLick ingest; check the identity's ingest_address")
    if code is grpc.StatusCode.UNAVAILABLE and not welcomed:
        return Ending(EndKind.UNREACHABLE, details)
    return Ending(EndKind.FAILED, f"{code.name}: {details}")

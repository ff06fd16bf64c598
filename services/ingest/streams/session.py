"""One agent's stream, from Welcome to its end: who is told what, and when it is over."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from functools import partial

import grpc
from google.protobuf.duration_pb2 import Duration

from flick.errors import FlickError, Kind, unauthenticated, unavailable
from flick.rpc.access.caller import Caller
from flick.rpc.aspect import Context
from flick.v1 import ingest_pb2, servers_pb2
from services.ingest.intake.lanes import MAX_UNACKED_BYTES, MAX_UNACKED_FRAMES, Lanes, ProtocolError
from services.ingest.intake.layouts import StreamLayouts
from services.ingest.intake.reading import Reading
from services.ingest.ledger.streams import Stream
from services.ingest.streams.hearing import hear_out
from services.ingest.streams.intake import Intake
from services.ingest.streams.outbox import Outbox, Response
from services.ingest.streams.parts import Parts
from services.ingest.streams.vigil import Due, Vigil

IN_FLIGHT_S = 2.0  # how long a revocation waits for the commit that is under way


class Session:
    """A stream that has said Hello. While it is idle it has two tasks: gRPC's, which sends, and one that reads.

    Args:
        caller: the agent.
        hello: its first frame.
        settings: the server's settings now.
        parts: what all streams share.

    Raises ProtocolError when Hello makes no sense.
    """

    def __init__(
        self, *, caller: Caller, hello: ingest_pb2.Hello, settings: servers_pb2.ServerSettings, parts: Parts
    ) -> None:
        self.server_id = caller.server_id
        self.key_id = caller.key_id
        self.end_reason = "client"
        self._parts = parts
        self._outbox = Outbox()
        server_id, organization_id = uuid.UUID(caller.server_id), uuid.UUID(caller.organization_id)
        self.stream = Stream.from_hello(
            hello, server_id=server_id, organization_id=organization_id, now_ns=parts.clock.time_unix_nano()
        )
        self.spool = hello.spool if hello.HasField("spool") else None
        self._reading = Reading(
            server_id=server_id,
            organization_id=organization_id,
            layouts=StreamLayouts(ids=parts.layout_ids, server_id=server_id, organization_id=organization_id),
            settings=settings,
            clock=parts.clock,
        )
        self._intake = Intake(
            stream=self.stream,
            lanes=Lanes(positions=_positions(hello)),
            reading=self._reading,
            outbox=self._outbox,
            parts=parts,
        )
        self.began_at_s = parts.clock.monotonic_s()
        self._vigil = Vigil(
            times=parts.times,
            now_s=self.began_at_s,
            lifetime_s=parts.times.lifetime_s * parts.rng.uniform(0.8, 1.2),
        )
        self._pings = 0
        self._draining = False
        self._revoked = False
        self._told_fatal = False
        self._busy = False  # with a frame: what the agent says meanwhile is not read
        self._ended_at_s: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._handler: asyncio.Task[object] | None = None

    async def run(self, context: Context) -> Exception | None:
        """Serve the stream to its end. Returns what it ends with; None: it ends well."""
        self._handler = asyncio.current_task()
        self._outbox.put(Response(welcome=self._welcome()))
        with ExitStack() as stack:
            stack.enter_context(self._parts.watched.listen(self.server_id, self._tell_live))
            stack.enter_context(self._parts.minding.minded(self))
            stack.callback(self._parts.rounds.add(self._look, due_s=self._vigil.next_s))
            reading = self._start(partial(self._read, context))
            self._parts.watched.look_up(self.server_id)
            try:
                while (response := await self._outbox.take()) is not None:
                    await context.write(response)
                    self._vigil.said_at_s = self._parts.clock.monotonic_s()
                if self._told_fatal:
                    await asyncio.wait({reading}, timeout=self._parts.times.hear_out_s)
            finally:
                self._outbox.close()
                self._handler = None
                while self._tasks:  # before Python 3.12 asyncio.wait_for, which redis uses, may lose a cancellation
                    for task in self._tasks:
                        task.cancel()
                    await asyncio.wait(self._tasks, timeout=0.1)
        return self._outbox.error

    def drain(self) -> None:
        """Tell the agent that the stream ends soon, and end it when the agent has finished, or a little later."""
        if self._draining:
            return
        self._draining = True
        times = self._parts.times
        reconnect_s = self._parts.rng.uniform(0, times.reconnect_within_s)
        drain = ingest_pb2.Drain(deadline=_duration(times.drain_s), reconnect_after=_duration(reconnect_s))
        self._outbox.put(Response(drain=drain))
        self._start(self._end_drained)

    def supersede(self, *, by_same_agent: bool) -> None:
        """Another stream of the same server has come; this one ends."""
        if by_same_agent:  # it moved: what it sent here and was not acked, it sends there again
            self._end("moved")
        else:
            self._fail(
                ingest_pb2.Fatal(code=ingest_pb2.FATAL_CODE_SUPERSEDED),
                FlickError(
                    Kind.ABORTED,
                    "Another agent has come with a key of this server. Enroll each server by itself.",
                    reason="SUPERSEDED",
                ),
            )

    def change_settings(self, settings: servers_pb2.ServerSettings) -> None:
        """These are the server's settings now; the agent is told when they are others than before."""
        if settings != self._reading.settings:
            self._reading.settings = settings
            self._outbox.put(Response(settings=ingest_pb2.Settings(server=settings)))

    def revoke(self) -> None:
        """The key is gone: nothing more is stored, and the stream ends."""
        if not self._revoked:
            self._revoked = True
            self._intake.refuse()
            self._start(self._end_revoked)

    def _welcome(self) -> ingest_pb2.Welcome:
        welcome = ingest_pb2.Welcome(
            server_id=self.server_id,
            max_unacked_batches=MAX_UNACKED_FRAMES,
            max_unacked_bytes=MAX_UNACKED_BYTES,
            settings=ingest_pb2.Settings(server=self._reading.settings),
            live_mode=self._live_mode(self._parts.watched.is_watched(self.server_id)),
        )
        welcome.server_time.FromNanoseconds(self._parts.clock.time_unix_nano())
        return welcome

    def _tell_live(self, watched: bool) -> None:
        self._outbox.put(Response(live_mode=self._live_mode(watched)))

    def _live_mode(self, watched: bool) -> ingest_pb2.LiveMode:
        return ingest_pb2.LiveMode(enabled=watched, interval=_duration(self._parts.times.live_interval_s))

    async def _read(self, context: Context) -> None:
        try:
            while not self._outbox.closed:
                raw = await context.read()
                if raw is grpc.aio.EOF:
                    await self._settle()
                    self._end("drained" if self._draining else "client")
                    return
                await self._take(raw)
                del raw  # else it would stay in memory until the next one comes
        except ProtocolError as error:
            self._fail(error.fatal(), error.flick_error())
        await hear_out(context)

    async def _take(self, raw: bytes) -> None:
        if self._outbox.closed:
            return
        self._busy = True
        await self._intake.take(raw)
        self._busy = False
        self._vigil.heard_at_s = self._parts.clock.monotonic_s()

    def _look(self, now_s: float) -> float | None:
        """Do what is due; when to look again. See `Rounds`."""
        if self._handler is None:
            return None
        if self._outbox.closed:
            return self._force_end(now_s)
        if self._busy:
            self._vigil.heard_at_s = now_s
        match self._vigil.due(now_s):
            case Due.GIVE_UP:
                seconds = self._parts.times.silent_after_s
                self._end("silent", unavailable(f"Nothing was heard for {seconds:g} s."))
            case Due.LEAVE:
                self.drain()
            case Due.PING:
                self._pings += 1
                self._outbox.put(Response(ping=ingest_pb2.Ping(ping_id=self._pings)))
        return self._vigil.next_s

    def _force_end(self, now_s: float) -> float | None:
        """A stream that nobody reads may never get as far as its end: cancel what tries to send."""
        if self._ended_at_s is None:
            self._ended_at_s = now_s
        if now_s < self._ended_at_s + self._parts.times.settle_s:
            return self._ended_at_s + self._parts.times.settle_s
        if self._handler is not None:
            self._handler.cancel()
        return None

    async def _settle(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._parts.times.settle_s):
                await self._intake.settled()

    async def _end_drained(self) -> None:
        await self._parts.clock.sleep(self._parts.times.drain_s)
        await self._settle()
        self._end("drained")

    async def _end_revoked(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(IN_FLIGHT_S):
                await self._parts.writer.idle()
        self._fail(
            ingest_pb2.Fatal(code=ingest_pb2.FATAL_CODE_REVOKED),
            unauthenticated("The agent key was revoked. Enroll this server anew.", reason="REVOKED"),
        )

    def _start(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - ends the stream, whose boundary (FaultAspect) logs and answers it
            self._end("error", error)

    def _fail(self, fatal: ingest_pb2.Fatal, error: FlickError) -> None:
        fatal.message = error.public
        self._told_fatal = True
        self._outbox.put(Response(fatal=fatal))
        self._end(error.reason.lower(), error)

    def _end(self, reason: str, error: Exception | None = None) -> None:
        if not self._outbox.closed:
            self.end_reason = reason
            self._outbox.close(error)


def _positions(hello: ingest_pb2.Hello) -> dict[ingest_pb2.Lane.ValueType, int]:
    positions = {position.lane: position.seq for position in hello.lanes}
    if len(positions) < len(hello.lanes):
        raise ProtocolError("hello.lanes: each lane comes once.")
    return positions


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration

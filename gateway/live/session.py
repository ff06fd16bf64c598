"""One viewer's socket: who they are, what they subscribed to, what waits for them, and how it ends."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from flick.clock import Clock
from flick.errors import FlickError, Kind, not_found, unauthenticated
from flick.v1 import live_pb2, query_pb2, query_pb2_grpc
from gateway.live.allowance import Allowance
from gateway.live.frames import Frames, too_many
from gateway.live.limits import LiveLimits
from gateway.live.outbox import Outbox
from gateway.live.subscription import Subscription
from gateway.live.viewer import Viewer, Viewers
from gateway.metrics import GatewayMetrics

GOING_AWAY = 1001
TEXT_ONLY = 1003
MISBEHAVING = 1008
BROKEN = 1011
TRY_AGAIN_LATER = 1013
UNAUTHENTICATED = 4401
FORBIDDEN = 4403

_FLUSH_S = 1.0  # for the last words to a viewer
_OURS = (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.INTERNAL, Kind.UNKNOWN, Kind.RESOURCE_EXHAUSTED)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Closing:
    """How a socket ends: the close code and reason, and before it an error frame that says more."""

    code: int
    reason: str
    error: FlickError | None = None


GONE = Closing(code=1005, reason="the viewer left")


class LiveSession:
    """One accepted socket."""

    def __init__(
        self,
        *,
        socket: WebSocket,
        request_id: str,
        viewers: Viewers,
        query: "query_pb2_grpc.QueryServiceAsyncStub",
        admit: Callable[[str], None],
        frames: Frames,
        limits: LiveLimits,
        clock: Clock,
        metrics: GatewayMetrics,
    ) -> None:
        self._socket = socket
        self._request_id = request_id
        self._viewers = viewers
        self._query = query
        self._admit = admit
        self._frames = frames
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._viewer: Viewer | None = None
        self._asked_who = False
        self._running: dict[str, tuple[Subscription, asyncio.Task[None]]] = {}
        self._outbox = Outbox(max_messages=limits.queue_messages, max_bytes=limits.queue_bytes)
        self._good = Allowance(burst=limits.frames_burst, per_s=limits.frames_per_s)
        self._bad = Allowance(burst=limits.bad_frames_burst, per_s=limits.bad_frames_per_s)
        self._closing: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()

    @property
    def user_id(self) -> str:
        """Whose socket this is; empty until auth has said so."""
        return self._viewer.user_id if self._viewer else ""

    def end(self, closing: Closing) -> None:
        """Close the socket; the first word counts."""
        if not self._closing.done():
            self._closing.set_result(closing)

    async def run(self, *, token: str) -> Closing:
        """Serve until the socket ends; returns how. `token` came with the handshake, or is empty."""
        tasks = [self._start(work) for work in (self._read(token), self._write(), self._pulse())]
        try:
            closing = await self._closing
        finally:
            tasks += [task for _, task in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._metrics.subscriptions.dec(len(self._running))
        if closing is not GONE:
            await self._say_goodbye(closing)
        return closing

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except WebSocketDisconnect:
                self.end(GONE)
            except Exception:  # the boundary of a socket: one that breaks is closed, and the others go on
                logger.exception("a live socket failed", extra={"request_id": self._request_id})
                self.end(Closing(code=BROKEN, reason="something went wrong on our side"))

        return asyncio.create_task(guarded())

    async def _read(self, token: str) -> None:
        if token:
            await self._authenticate(token)
        while True:
            event = await self._socket.receive()
            if event["type"] == "websocket.disconnect":
                self.end(GONE)
                return
            text = event.get("text")
            if text is None:
                self.end(Closing(code=TEXT_ONLY, reason="frames are JSON in text, not binary"))
                return
            await self._take(text)

    async def _take(self, text: str) -> None:
        now_s = self._clock.monotonic_s()
        if not self._good.spend(now_s=now_s):
            self.end(Closing(code=MISBEHAVING, reason="too many frames"))
            return
        frame = live_pb2.LiveRequest()
        try:
            frame = self._frames.read(text)
            await self._handle(frame)
        except FlickError as error:
            self._put(self._frames.error(error, subscription_id=_named(frame)))
            if not self._bad.spend(now_s=now_s):
                self.end(Closing(code=MISBEHAVING, reason="too many frames that can't be taken"))

    async def _handle(self, frame: live_pb2.LiveRequest) -> None:
        match frame.WhichOneof("frame"):
            case "authenticate":
                await self._authenticate(frame.authenticate.access_token)
            case _ if self._viewer is None:
                self._refuse(unauthenticated("Authenticate before anything else."))
            case "subscribe":
                self._subscribe(frame.subscribe, self._viewer)
            case "unsubscribe":
                self._unsubscribe(frame.unsubscribe.subscription_id)

    async def _authenticate(self, token: str) -> None:
        """Learn who is watching; on a known socket, take over a newer token of the same person."""
        self._asked_who = True
        try:
            viewer = await self._viewers.identify(token, request_id=self._request_id)
        except FlickError as error:
            if self._viewer is not None and error.kind in _OURS:
                raise
            self._refuse(error)
            return
        if self._viewer is None:
            try:
                self._admit(viewer.user_id)
            except FlickError as error:
                self.end(Closing(code=MISBEHAVING, reason="too many sockets", error=error))
                return
        elif viewer.user_id != self._viewer.user_id:
            self._refuse(unauthenticated("This token is another person's. Open another socket for it."))
            return
        self._viewer = viewer
        self._put(self._frames.ready())
        for subscription, task in self._running.values():  # calls carry the old token, and end with it
            task.cancel()
            self._running[subscription.name] = (subscription, self._watch(subscription, viewer))

    def _refuse(self, error: FlickError) -> None:
        if error.kind in _OURS:
            self.end(Closing(code=TRY_AGAIN_LATER, reason="auth does not answer", error=error))
        elif error.kind is Kind.PERMISSION_DENIED:
            self.end(Closing(code=FORBIDDEN, reason="this credential may not watch", error=error))
        else:
            self.end(Closing(code=UNAUTHENTICATED, reason="sign in again", error=error))

    def _subscribe(self, wanted: live_pb2.LiveSubscribe, viewer: Viewer) -> None:
        self._frames.check_subscribe(wanted)
        name = wanted.subscription_id
        if name in self._running:
            raise FlickError(Kind.ALREADY_EXISTS, f"The subscription {name!r} runs already and goes on.")
        if len(self._running) >= self._limits.subscriptions:
            raise too_many(f"A socket has at most {self._limits.subscriptions} subscriptions. End one first.")

        def deliver(update: query_pb2.WatchMetricsResponse) -> None:
            self._put(self._frames.metrics(update, subscription_id=name), key=(name, update.server_id))

        subscription = Subscription(wanted=wanted, query=self._query, silence_s=self._limits.silence_s, deliver=deliver)
        self._running[name] = (subscription, self._watch(subscription, viewer))
        self._metrics.subscriptions.inc()

    def _unsubscribe(self, name: str) -> None:
        if name not in self._running:
            raise not_found("subscription")
        _, task = self._running.pop(name)
        task.cancel()
        self._outbox.forget(prefix=name)
        self._metrics.subscriptions.dec()

    def _watch(self, subscription: Subscription, viewer: Viewer) -> asyncio.Task[None]:
        async def watch() -> None:
            error = await subscription.run(metadata=viewer.metadata(request_id=self._request_id))
            del self._running[subscription.name]
            self._metrics.subscriptions.dec()
            if error.kind is Kind.UNAUTHENTICATED:
                self._refuse(error)
                return
            self._put(self._frames.error(error, subscription_id=subscription.name))

        return self._start(watch())

    def _put(self, body: bytes, *, key: tuple[str, str] | None = None) -> None:
        dropped = self._outbox.dropped
        if not self._outbox.put(body, key=key):
            self.end(Closing(code=TRY_AGAIN_LATER, reason="too slow"))
        self._metrics.frames_dropped.inc(self._outbox.dropped - dropped)

    async def _write(self) -> None:
        while True:
            body = await self._outbox.take()
            try:
                async with asyncio.timeout(self._limits.stall_s):
                    await self._socket.send_text(body.decode())
            except TimeoutError:
                self.end(Closing(code=TRY_AGAIN_LATER, reason="too slow"))
                return
            self._metrics.frames_sent.inc()

    async def _pulse(self) -> None:
        """Look at the clocks: signs of life, a viewer that does not say who it is, a token that ends."""
        began_s = beat_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(self._limits.tick_s)
            now_s = self._clock.monotonic_s()
            if self._viewer is None:
                if not self._asked_who and now_s - began_s >= self._limits.authenticate_s:
                    wait = f"within {self._limits.authenticate_s:g} s"
                    self._refuse(
                        unauthenticated(f"No `authenticate` frame came {wait}.", reason="AUTHENTICATE_TIMEOUT")
                    )
            elif self._expired(self._viewer):
                self._refuse(unauthenticated("The token has expired. Refresh it.", reason="TOKEN_EXPIRED"))
            if now_s - beat_s >= self._limits.heartbeat_s:
                beat_s = now_s
                self._put(self._frames.heartbeat(), key=("", "heartbeat"))

    def _expired(self, viewer: Viewer) -> bool:
        return viewer.expire_time_s is not None and self._clock.time_unix_nano() >= viewer.expire_time_s * 10**9

    async def _say_goodbye(self, closing: Closing) -> None:
        last_words = self._outbox.drain()
        if closing.error is not None:
            last_words.append(self._frames.error(closing.error))
        try:
            async with asyncio.timeout(_FLUSH_S):
                for body in last_words:
                    await self._socket.send_text(body.decode())
        except TimeoutError:
            logger.debug("a viewer did not take the last words", extra={"request_id": self._request_id})
        except WebSocketDisconnect:
            return
        try:
            await self._socket.close(closing.code, closing.reason)
        except WebSocketDisconnect:
            return


def _named(frame: live_pb2.LiveRequest) -> str:
    match frame.WhichOneof("frame"):
        case "subscribe":
            return frame.subscribe.subscription_id[:64]
        case "unsubscribe":
            return frame.unsubscribe.subscription_id[:64]
    return ""

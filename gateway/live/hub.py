"""All live sockets of this gateway: lets them in, counts them, and sends them away when the gateway leaves."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from flick.clock import Clock
from flick.errors import unavailable
from flick.v1 import auth_pb2_grpc, query_pb2_grpc
from gateway.http.origin import OriginPolicy
from gateway.live.frames import Frames, too_many
from gateway.live.limits import LiveLimits
from gateway.live.session import GOING_AWAY, Closing, LiveSession
from gateway.live.viewer import Viewers
from gateway.metrics import GatewayMetrics

SUBPROTOCOL = "bearer"
_DRAIN_WITHIN_S = 3.0

logger = logging.getLogger(__name__)


class LiveHub:
    """Serves /api/v1/ws."""

    def __init__(
        self,
        *,
        auth: "auth_pb2_grpc.AuthServiceAsyncStub",
        query: "query_pb2_grpc.QueryServiceAsyncStub",
        origins: OriginPolicy,
        metrics: GatewayMetrics,
        clock: Clock,
        random: Callable[[], float],
        limits: LiveLimits | None = None,
    ) -> None:
        self._viewers = Viewers(auth=auth)
        self._query = query
        self._origins = origins
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._limits = limits or LiveLimits()
        self._frames = Frames(limits=self._limits, clock=clock)
        self._sessions: set[LiveSession] = set()
        self._per_user: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False

    async def serve(self, socket: WebSocket) -> None:
        """Serve one handshake and the socket that comes of it."""
        host = socket.headers.get("host", "")
        if not self._origins.admits(socket.headers.get("origin"), scheme=socket.scope["scheme"], host=host):
            await _deny(
                socket, 403, 7, "Pages of this site may not open this. Add it to FLICK_GATEWAY_ALLOWED_ORIGINS."
            )
            return
        if self._draining:
            await _deny(socket, 503, 14, "The gateway is stopping. Connect again.")
            return
        token = _offered_token(socket.scope["subprotocols"])
        request_id = socket.headers.get("x-request-id", "")
        await socket.accept(
            subprotocol=SUBPROTOCOL if token else None, headers=[(b"x-request-id", request_id.encode())]
        )
        await self._run(self._session(socket, request_id), token)

    async def drain(self) -> None:
        """Tell every viewer to come back a little later, each at another moment, and close with 1001."""
        self._draining = True
        for session in self._sessions:
            wait_s = self._random() * self._limits.drain_s
            error = unavailable("The gateway is stopping. Connect again.", retry_after_s=wait_s)
            session.end(Closing(code=GOING_AWAY, reason="the gateway is stopping", error=error))
        try:
            async with asyncio.timeout(_DRAIN_WITHIN_S):
                await self._empty.wait()
        except TimeoutError:
            logger.warning("viewers were cut off", extra={"sockets": len(self._sessions)})

    def _session(self, socket: WebSocket, request_id: str) -> LiveSession:
        return LiveSession(
            socket=socket,
            request_id=request_id,
            viewers=self._viewers,
            query=self._query,
            admit=self._admit,
            frames=self._frames,
            limits=self._limits,
            clock=self._clock,
            metrics=self._metrics,
        )

    async def _run(self, session: LiveSession, token: str) -> None:
        self._sessions.add(session)
        self._empty.clear()
        self._metrics.sockets.inc()
        try:
            closing = await session.run(token=token)
            self._metrics.closed.labels(str(closing.code)).inc()
        finally:
            self._metrics.sockets.dec()
            self._release(session.user_id)
            self._sessions.discard(session)
            if not self._sessions:
                self._empty.set()

    def _admit(self, user_id: str) -> None:
        """Count a socket of this person. Raises RESOURCE_EXHAUSTED when there are too many."""
        limit = self._limits.sockets_per_user
        if self._per_user[user_id] >= limit:
            raise too_many(f"A person has at most {limit} live sockets at once. Close one first.")
        self._per_user[user_id] += 1

    def _release(self, user_id: str) -> None:
        if not user_id:  # never admitted
            return
        self._per_user[user_id] -= 1
        if not self._per_user[user_id]:
            del self._per_user[user_id]


def _offered_token(subprotocols: list[str]) -> str:
    """The token of `Sec-WebSocket-Protocol: bearer, TOKEN`; empty when none is offered."""
    if len(subprotocols) == 2 and subprotocols[0].lower() == SUBPROTOCOL:
        return subprotocols[1]
    return ""


async def _deny(socket: WebSocket, status: int, code: int, message: str) -> None:
    response = JSONResponse({"code": code, "message": message, "details": []}, status_code=status)
    await socket.send_denial_response(response)

"""What surrounds every HTTP answer: a request id, security headers, the Origin check, one log line, the counts."""

import logging
import re
from collections.abc import Callable

from flick.clock import Clock
from gateway.http.answer import Answer
from gateway.http.origin import OriginPolicy
from gateway.http.wire import Application, Receive, Scope, Send, header, send_json
from gateway.metrics import GatewayMetrics

REQUEST_ID = "x-request-id"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_LOGGED_PATH_LENGTH = 256
_DRAIN_STEP_S = 0.05
# A site that once had HSTS on `localhost` would break every other program there that speaks plain HTTP.
_HSTS_EXEMPT = ("localhost", "127.", "[::1]")
_SECURITY = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_HSTS = ("strict-transport-security", "max-age=31536000")

logger = logging.getLogger(__name__)


class Edge:
    """ASGI middleware around the whole application. WebSockets pass through; they have checks of their own."""

    def __init__(
        self,
        *,
        application: Application,
        origins: OriginPolicy,
        metrics: GatewayMetrics,
        clock: Clock,
        make_request_id: Callable[[], str],
    ) -> None:
        self._application = application
        self._origins = origins
        self._metrics = metrics
        self._clock = clock
        self._make_request_id = make_request_id
        self._answers: set[Answer] = set()

    async def drain(self, *, grace_s: float) -> None:
        """End streams at once, which would never end by themselves, and after `grace_s` seconds whatever still runs."""
        for answer in [one for one in self._answers if one.started]:
            answer.cut()
        until_s = self._clock.monotonic_s() + grace_s
        while self._answers and self._clock.monotonic_s() < until_s:
            await self._clock.sleep(_DRAIN_STEP_S)
        for answer in list(self._answers):
            answer.cut()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] in ("http", "websocket"):
            request_id = self._identify(scope)
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began_s = self._clock.monotonic_s()
        answer = Answer(receive=receive, send=send, headers=_added_headers(scope, request_id))
        self._metrics.in_flight.inc()
        self._answers.add(answer)
        try:
            if self._refuses(scope):
                await send_json(answer.send, 403, code=7, message=_REFUSAL)
            else:
                await self._application(scope, answer.receive, answer.send)
                await answer.finish()
        finally:
            self._answers.discard(answer)
            self._metrics.in_flight.dec()
            self._record(scope, request_id, answer.status, self._clock.monotonic_s() - began_s)

    def _identify(self, scope: Scope) -> str:
        """The request's id, from the client or made; put among the headers, so that the services see it too."""
        given = header(scope, REQUEST_ID)
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        made = self._make_request_id()
        kept = [(name, value) for name, value in scope["headers"] if name.lower() != REQUEST_ID.encode()]
        scope["headers"] = [*kept, (REQUEST_ID.encode(), made.encode())]
        return made

    def _refuses(self, scope: Scope) -> bool:
        """Whether a page of a foreign site asks for a change."""
        if scope["method"] in _SAFE_METHODS:
            return False
        origin, host = header(scope, "origin"), header(scope, "host") or ""
        return not self._origins.admits(origin, scheme=scope["scheme"], host=host)

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        self._metrics.requests.labels(scope["method"] if scope["method"] in _METHODS else "other", str(status)).inc()
        self._metrics.seconds.observe(seconds)
        logger.info(
            "request",
            extra={
                "method": scope["method"][:16],
                "path": scope["path"][:_LOGGED_PATH_LENGTH],  # without the query, where people put secrets by mistake
                "status": status,
                "duration_ms": round(seconds * 1000, 1),
                "client": scope["client"][0] if scope.get("client") else "",
                "request_id": request_id,
            },
        )


_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
_REFUSAL = "Pages of this site may not change anything here. Add its origin to FLICK_GATEWAY_ALLOWED_ORIGINS."


def _added_headers(scope: Scope, request_id: str) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode(), value.encode()) for name, value in _SECURITY.items()]
    headers.append((REQUEST_ID.encode(), request_id.encode()))
    host = (header(scope, "host") or "").lower()
    if scope["scheme"] == "https" and not host.startswith(_HSTS_EXEMPT):
        headers.append((_HSTS[0].encode(), _HSTS[1].encode()))
    return headers

"""Every route over WebSocket, in the framing of tmc/grpc-websocket-proxy.

The upgrade goes to the route's own path; `?method=POST` names the method of the request inside, else it is GET. A frame
from the client is a line of the body, a line of the answer is a text frame. A request that is one message is complete
with its first frame; a stream of requests ends with an empty one. Status and headers of the answer are not seen.

The token comes as `Sec-WebSocket-Protocol: Bearer, TOKEN` or in a cookie `token`, which wins. Other than in that proxy
pages of other sites are refused.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import Enum
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from gateway.transcode.options import Options
from gateway.transcode.wire.asgi import Event, Receive, Scope, Send
from gateway.transcode.wire.headers import header

Serve = Callable[[Scope, Receive, Send], Awaitable[None]]

_FORWARDED = frozenset({b"origin", b"referer", b"host"})
_BEARER = re.compile(r"\s*(bearer)\s*,\s*(\S+)\s*", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_HTTP_OF = {"ws": "http", "wss": "https"}
_DONE, _BROKEN = 1000, 1011
_NOTHING: Event = {"type": "http.request", "body": b"", "more_body": False}
_GONE: Event = {"type": "http.disconnect"}


class Frames(Enum):
    """How many frames the request inside takes."""

    NONE = 0
    ONE = 1
    MANY = 2


class Socket:
    """One WebSocket and the one request inside of it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, frames: Callable[[Scope], Frames]) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._inner = _request_inside(scope)
        self._frames = frames(self._inner)
        self._begun = self._complete = self._gone = False
        self._line = b""

    async def serve(self, serve: Serve) -> None:
        """Accept the socket, serve the request inside, close."""
        protocol = _BEARER.fullmatch(header(self._scope, b"sec-websocket-protocol"))
        await self._receive()  # websocket.connect
        await self._send({"type": "websocket.accept", "subprotocol": protocol.group(1) if protocol else None})
        code = _BROKEN
        try:
            await serve(self._inner, self._next_piece, self._pass_on)
            code = _DONE
        finally:
            await self._tell({"type": "websocket.close", "code": code})

    async def _next_piece(self) -> Event:
        """What the request inside takes for its client's next event."""
        if not self._begun:
            self._begun = True
            self._complete = self._frames is Frames.NONE
            if self._complete:
                return _NOTHING
        while not self._gone:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._gone = True
            elif not self._complete:
                return self._piece(event)
        return _GONE

    def _piece(self, event: Event) -> Event:
        frame = event.get("bytes") or (event.get("text") or "").encode()
        self._complete = self._frames is Frames.ONE or not frame
        return {"type": "http.request", "body": frame + b"\n", "more_body": not self._complete}

    async def _pass_on(self, event: Event) -> None:
        """Send the lines that a part of the answer's body completes."""
        if event["type"] != "http.response.body":
            return
        *lines, self._line = (self._line + event.get("body", b"")).split(b"\n")
        if not event.get("more_body", False):
            lines.append(self._line)
            self._line = b""
        for line in lines:
            if line:
                await self._tell(_frame(line))

    async def _tell(self, event: Event) -> None:
        if not self._gone:
            with suppress(OSError):  # so servers say that the client has gone
                await self._send(event)


def _frame(line: bytes) -> Event:
    try:
        return {"type": "websocket.send", "text": line.decode()}
    except UnicodeDecodeError:  # a piece of a google.api.HttpBody
        return {"type": "websocket.send", "bytes": line}


def _request_inside(scope: Scope) -> Scope:
    """The HTTP request that the upgrade stands for."""
    method, query = _method_and_query(scope.get("query_string", b""))
    token = _token(scope)
    headers = [(name, value) for name, value in scope["headers"] if name in _FORWARDED]
    if token:
        headers.append((b"authorization", f"Bearer {token}".encode("latin-1")))
    return {
        **scope,
        "type": "http",
        "method": method,
        "scheme": _HTTP_OF.get(scope.get("scheme", "ws"), "http"),
        "query_string": query,
        "headers": headers,
        "extensions": {},
    }


def _method_and_query(query: bytes) -> tuple[str, bytes]:
    """The method that the query names, and the rest of it."""
    parts = query.split(b"&")
    named = [part for part in parts if part.startswith(b"method=")]
    rest = b"&".join(part for part in parts if part not in named)
    return named[0].removeprefix(b"method=").decode("latin-1").upper() if named else "GET", rest


def _token(scope: Mapping[str, Any]) -> str:
    try:
        cookie = SimpleCookie(header(scope, b"cookie")).get("token")
    except CookieError:
        cookie = None
    if cookie is not None:
        return cookie.value
    protocol = _BEARER.fullmatch(header(scope, b"sec-websocket-protocol"))
    return protocol.group(2) if protocol else ""


def may_open(scope: Scope, options: Options) -> bool:
    """Whether a page may open this WebSocket: any program's may, of the web the host's own, or whom the host admits."""
    if options.admit_origin is not None:
        return options.admit_origin(scope)
    origin = header(scope, b"origin")
    if not origin:
        return True
    scheme = _HTTP_OF.get(scope.get("scheme", "ws"), "http")
    return _place(origin) == _place(f"{scheme}://{header(scope, b'host')}") is not None


def _place(origin: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of an origin; None for what is no web origin, such as `null`."""
    try:
        parts = urlsplit(origin.lower())
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and parts.scheme in _PORTS else None

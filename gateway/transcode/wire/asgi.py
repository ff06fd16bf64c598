"""The few shapes of ASGI that the transcoder speaks, and one HTTP exchange over them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote

from google.rpc import code_pb2

from gateway.transcode.errors import RefusedError, too_large

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Headers = Iterable[tuple[str, str]]


class ClientGoneError(Exception):
    """The client went away before its request was complete; nobody is left to answer."""


class Exchange:
    """One HTTP request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, content_length: bool = True) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._content_length = content_length
        self.started = False

    async def body(self, *, limit_bytes: int, timeout_s: float) -> bytes:
        """The request body; raises RefusedError (413, 408) or ClientGoneError."""
        if _declared_length(self.scope) > limit_bytes:
            raise too_large(limit_bytes)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._read(limit_bytes)
        except TimeoutError:
            message = f"the request body was not complete within {timeout_s:g} s"
            raise RefusedError(code_pb2.DEADLINE_EXCEEDED, message, status=408) from None

    async def _read(self, limit_bytes: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise ClientGoneError
            chunk: bytes = event.get("body", b"")
            size += len(chunk)
            if size > limit_bytes:
                raise too_large(limit_bytes)
            chunks.append(chunk)
            if not event.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The request body as it comes, however long that takes; raises ClientGoneError."""
        more = True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise ClientGoneError
            more = event.get("more_body", False)
            yield event.get("body", b"")

    async def gone(self) -> None:
        """Return when the client has gone; an unread rest of its body is dropped on the way."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    @property
    def takes_trailers(self) -> bool:
        """Whether the client asked for trailers and the server can send them."""
        asked = any(name == b"te" and b"trailers" in value.lower() for name, value in self.scope["headers"])
        return asked and "http.response.trailers" in (self.scope.get("extensions") or {})

    async def start(self, status: int, headers: Headers, *, trailers: bool = False) -> None:
        """Send status and headers; `trailers` says whether some follow the body."""
        self.started = True
        event = {"type": "http.response.start", "status": status, "headers": _encoded(headers)}
        await self._send({**event, "trailers": True} if trailers else event)

    async def write(self, chunk: bytes, *, more: bool) -> None:
        """Send a part of the body; `more` says whether another follows."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def answer(self, status: int, headers: Headers, body: bytes, *, trailers: Headers = ()) -> None:
        """Send a whole response, with its length where the profile wants that and no trailers follow."""
        behind = list(trailers)
        head = list(headers)
        if behind:
            head += [("trailer", name) for name in dict.fromkeys(name for name, _ in behind)]
        elif self._content_length:
            head.append(("content-length", str(len(body))))
        await self.start(status, head, trailers=bool(behind))
        await self.write(body, more=False)
        if behind:
            await self._send({"type": "http.response.trailers", "headers": _encoded(behind), "more_trailers": False})


def raw_path(scope: Scope) -> bytes:
    """The undecoded path without the server's own root path; a Starlette mount's prefix stays part of it."""
    raw: bytes | None = scope.get("raw_path")
    if raw is None:  # optional in ASGI; quoting keeps what routing must not decode twice
        raw = _quoted(scope["path"])
    root = scope.get("app_root_path", scope.get("root_path", "")).encode()
    return raw[len(root) :] if root and raw.startswith(root + b"/") else raw


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _declared_length(scope: Mapping[str, Any]) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _quoted(path: str) -> bytes:
    return quote(path, safe="/:@!$&'()*+,;=-._~").encode("ascii")

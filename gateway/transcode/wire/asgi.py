"""The few shapes of ASGI that the transcoder speaks, and one HTTP exchange over them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote

from google.rpc import code_pb2

from gateway.transcode.errors import RefusedError

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Headers = Iterable[tuple[str, str]]


class ClientGoneError(Exception):
    """The client went away before its request was complete; nobody is left to answer."""


class Exchange:
    """One HTTP request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.started = False

    @property
    def raw_path(self) -> bytes:
        """The undecoded path without the server's own root path; a Starlette mount's prefix stays part of it."""
        raw: bytes | None = self.scope.get("raw_path")
        if raw is None:  # optional in ASGI; quoting keeps what routing must not decode twice
            raw = _quoted(self.scope["path"])
        root = self.scope.get("app_root_path", self.scope.get("root_path", "")).encode()
        return raw[len(root) :] if root and raw.startswith(root + b"/") else raw

    async def body(self, *, limit_bytes: int, timeout_s: float) -> bytes:
        """The request body; raises RefusedError (413, 408) or ClientGoneError."""
        if _declared_length(self.scope) > limit_bytes:
            raise _too_large(limit_bytes)
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
                raise _too_large(limit_bytes)
            chunks.append(chunk)
            if not event.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def gone(self) -> None:
        """Return when the client has gone; an unread rest of its body is dropped on the way."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        self.started = True
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, chunk: bytes, *, more: bool) -> None:
        """Send a part of the body; `more` says whether another follows."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole response, with its length."""
        await self.start(status, [*headers, ("content-length", str(len(body)))])
        await self.write(body, more=False)


def _declared_length(scope: Mapping[str, Any]) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _too_large(limit_bytes: int) -> RefusedError:
    message = f"the request body is larger than {limit_bytes} bytes"
    return RefusedError(code_pb2.INVALID_ARGUMENT, message, status=413)


def _quoted(path: str) -> bytes:
    return quote(path, safe="/:@!$&'()*+,;=-._~").encode("ascii")

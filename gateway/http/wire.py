"""The little of ASGI that the gateway's own parts speak."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: str) -> str | None:
    """The first header of that name (lower case), or None."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted), None)


def error_body(code: int, message: str) -> dict[str, Any]:
    """An error in the form that the API has everywhere: google.rpc.Status as JSON."""
    return {"code": code, "message": message, "details": []}


async def send_json(send: Send, status: int, *, code: int, message: str) -> None:
    """Answer with an error."""
    body = json.dumps(error_body(code, message), ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

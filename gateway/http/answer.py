"""One HTTP answer on its way out: the headers that it lacks, and a decent end when the gateway has to leave."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from gateway.http.wire import Receive, Send, error_body, send_json

_LEAVING = "The gateway is stopping. Ask again."
_LINES = b"application/x-ndjson"
_UNAVAILABLE = 14  # google.rpc.Code


class Answer:
    """Stands between the application and the client of one request."""

    def __init__(self, *, receive: Receive, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._receive = receive
        self._send = send
        self._headers = headers
        self._media_type = b""
        self._complete = False
        self._cut = asyncio.Event()
        self.status = 499  # as nginx says of a client that left before the answer

    @property
    def started(self) -> bool:
        """Whether the head is sent; an answer that has started and is not complete is a stream."""
        return bool(self._media_type) or self._complete

    def cut(self) -> None:
        """Have the application believe that the client left; `finish` then says to the client why it ends."""
        self._cut.set()

    async def receive(self) -> MutableMapping[str, Any]:
        """The client's next ASGI event."""
        if self._cut.is_set():
            return {"type": "http.disconnect"}
        event, cut = asyncio.ensure_future(self._receive()), asyncio.create_task(self._cut.wait())
        try:
            await asyncio.wait({event, cut}, return_when=asyncio.FIRST_COMPLETED)
            return event.result() if event.done() else {"type": "http.disconnect"}
        finally:
            event.cancel()
            cut.cancel()

    async def send(self, event: MutableMapping[str, Any]) -> None:
        """Pass an ASGI event of the application on."""
        if event["type"] == "http.response.start":
            self.status = event["status"]
            headers = list(event.get("headers", []))
            present = {name.lower(): value for name, value in headers}
            self._media_type = present.get(b"content-type", b"none").partition(b";")[0]
            event = {**event, "headers": [*headers, *(pair for pair in self._headers if pair[0] not in present)]}
        elif event["type"] == "http.response.body":
            self._complete = not event.get("more_body", False)
        await self._send(event)

    async def finish(self) -> None:
        """End what `cut` broke off: an error where nothing was sent yet, a last line or event in a stream."""
        if self._complete or not self._cut.is_set():
            return
        if not self.started:
            await send_json(self.send, 503, code=_UNAVAILABLE, message=_LEAVING)
            return
        line = json.dumps({"error": error_body(_UNAVAILABLE, _LEAVING)}).encode() + b"\n"
        ends = {_LINES: line, b"application/json": line, b"text/event-stream": b"data: " + line + b"\n"}
        last = ends.get(self._media_type, b"")
        await self.send({"type": "http.response.body", "body": last, "more_body": False})

"""How a stream of answers is written: a line per message, or server-sent events for who asks for them.

Lines are grpc-gateway's: `{"result":…}`, and `{"error":…}` as the last one if the call fails after the first. An error
before the first message answers with its HTTP status. As there they are called `application/json`, unless the profile
offers another name that the client accepts. Server-sent events carry the same lines as their data; a clean end is the
event `end`, so that a browser knows not to reconnect.
"""

from collections.abc import Callable
from typing import Any

from gateway.transcode.options import Options
from gateway.transcode.profile import EVENT_STREAM, Profile
from gateway.transcode.wire.answers import Answers, Written
from gateway.transcode.wire.asgi import Exchange
from gateway.transcode.wire.call import Terms
from gateway.transcode.wire.headers import header, response_headers
from gateway.transcode.wire.status import ErrorAnswer

_END_EVENT = b"event: end\ndata: {}\n\n"
_KEEPALIVE = b": keep-alive\n\n"


class LineWriter:
    """A line per message."""

    keeps_alive = False
    """Whether `keep_alive` does something."""

    def __init__(self, exchange: Exchange, call: Any, *, encode: Callable[[Any], Written], options: Options) -> None:
        self._exchange = exchange
        self._call = call
        self._encode = encode
        self._options = options

    async def message(self, message: Any) -> None:
        """Send one message, and the head of the response before the first."""
        written = self._encode(message)
        if not self._exchange.started:
            await self._start(written.media_type)
        await self._exchange.write(self._framed(written.body), more=True)

    async def keep_alive(self) -> None:
        """Lines have no form for nothing."""

    async def end(self) -> None:
        """Finish a stream that ended well; an empty one has no Content-Type."""
        if not self._exchange.started:
            await self._exchange.start(200, await self._headers())
        await self._exchange.write(b"", more=False)

    async def fail(self, error: ErrorAnswer) -> None:
        """Send an error: as the answer itself before the first message, else as the last line."""
        if not self._exchange.started:
            await self._exchange.answer(error.status, error.headers, error.line)
            return
        await self._exchange.write(self._framed(error.line), more=False)

    async def _headers(self) -> list[tuple[str, str]]:
        return response_headers(await self._call.initial_metadata(), self._options)

    async def _start(self, media_type: str) -> None:
        await self._exchange.start(200, [("content-type", media_type), *await self._headers()])

    def _framed(self, line: bytes) -> bytes:
        return line


class RawWriter(LineWriter):
    """The chunks of google.api.HttpBody as they are; the first names the Content-Type."""

    async def fail(self, error: ErrorAnswer) -> None:
        """An error behind the first chunk can only break the body off: nothing may be added to a download."""
        if self._exchange.started:
            raise BrokenStreamError("the service failed in the middle of a raw body")
        await super().fail(error)


class RawLineWriter(LineWriter):
    """The chunks of google.api.HttpBody with a newline behind each."""

    async def message(self, message: Any) -> None:
        """Send one chunk and its newline."""
        await super().message(message)
        await self._exchange.write(b"\n", more=True)


class EventWriter(LineWriter):
    """Server-sent events; each line is the data of one."""

    keeps_alive = True

    async def keep_alive(self) -> None:
        """Keep proxies from closing a silent stream; it also tells the browser that it is connected."""
        if not self._exchange.started:
            await self._start(EVENT_STREAM)
        await self._exchange.write(_KEEPALIVE, more=True)

    async def end(self) -> None:
        """Tell the browser that the stream is complete."""
        if not self._exchange.started:
            await self._start(EVENT_STREAM)
        await self._exchange.write(_END_EVENT, more=False)

    async def _headers(self) -> list[tuple[str, str]]:
        """Waiting for the service's own headers would keep the first sign of life back."""
        return [("cache-control", "no-store"), ("x-accel-buffering", "no")]

    def _framed(self, line: bytes) -> bytes:
        return b"data: " + line.rstrip(b"\n").replace(b"\n", b"\ndata: ") + b"\n\n"


def stream_writer(
    exchange: Exchange, call: Any, *, answers: Answers, terms: Terms, profile: Profile, options: Options
) -> LineWriter:
    """The writer that the answer's type, the profile and `Accept` ask for."""
    if answers.raw:
        raw = RawLineWriter if profile.raw_streams_are_lines else RawWriter
        return raw(exchange, call, encode=answers.chunk, options=options)
    accept = header(exchange.scope, b"accept")
    named = next((media_type for media_type in profile.stream_types if media_type in accept), terms.codec.content_type)
    kind = EventWriter if named == EVENT_STREAM else LineWriter
    return kind(
        exchange, call, encode=lambda message: Written(named, answers.line(message, terms.codec)), options=options
    )


class BrokenStreamError(Exception):
    """A raw body could not be completed; the server breaks the connection so that the client sees it."""

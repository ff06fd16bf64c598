"""Server streams over HTTP: a line of JSON per message, or server-sent events for who asks for them.

Lines are grpc-gateway's: `{"result":…}`, and `{"error":…}` as the last one if the call fails after the first. An error
before the first message answers with its HTTP status. As there they are called `application/json`, unless the client
accepts `application/x-ndjson`. Server-sent events carry the same lines as their data; a clean
end is the event `end`, so that a browser knows not to reconnect.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from gateway.transcode.codec.encode import EncoderSet, json_bytes
from gateway.transcode.options import Metadata, Options
from gateway.transcode.routing.rules import Binding
from gateway.transcode.wire.asgi import Exchange
from gateway.transcode.wire.call import while_connected
from gateway.transcode.wire.headers import header, response_headers
from gateway.transcode.wire.status import ErrorAnswer, ErrorWriter
from gateway.transcode.wire.unary import HTTP_BODY, JSON, Multicallable, body_writer

_log = logging.getLogger(__name__)

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
_END_EVENT = b"event: end\ndata: {}\n\n"
_KEEPALIVE = b": keep-alive\n\n"


class ServerStream:
    """One server-streaming RPC behind one binding."""

    def __init__(
        self,
        call: Multicallable,
        *,
        binding: Binding,
        encoders: EncoderSet,
        errors: ErrorWriter,
        options: Options,
    ) -> None:
        output = binding.method.output_type
        self._call = call
        self._rpc = binding.rpc
        self._raw = output.full_name == HTTP_BODY and not binding.response_body
        self._value = body_writer(output, binding.response_body, encoders)
        self._errors = errors
        self._keepalive_s = options.sse_keepalive_s

    async def answer(self, exchange: Exchange, request: Message, *, metadata: Metadata, timeout_s: float) -> None:
        """Call and answer; raises ClientGoneError. The call's own errors are answered here."""
        call = self._call(request, metadata=metadata, timeout=timeout_s)
        writer = self._writer(exchange, call)
        try:
            await while_connected(lambda: self._forward(call, writer), gone=exchange.gone, cancel=call.cancel)
        except grpc.aio.AioRpcError as error:
            await writer.fail(self._errors.of_call(error))
        except ValueError:  # a message that JSON cannot say; the lines before it are out, so this must be one too
            _log.exception("a streamed message has no JSON form", extra={"rpc": self._rpc})
            await writer.fail(self._errors.of_failure())
        finally:
            call.cancel()  # without effect on a finished call; a client that left must not keep one running

    def _writer(self, exchange: Exchange, call: Any) -> "_Writer":
        accept = header(exchange.scope, b"accept")
        if self._raw:
            return _RawWriter(exchange, call, JSON, lambda message: bytes(message.data))
        if SSE in accept:
            return _EventWriter(exchange, call, SSE, self._line)
        return _Writer(exchange, call, NDJSON if NDJSON in accept else JSON, self._line)

    def _line(self, message: Any) -> bytes:
        return b'{"result":' + json_bytes(self._value(message)) + b"}\n"

    async def _forward(self, call: Any, writer: "_Writer") -> None:
        messages = _with_pauses(call, self._keepalive_s) if isinstance(writer, _EventWriter) else call
        async for message in messages:
            await (writer.keep_alive() if message is None else writer.message(message))
        await writer.end()


async def _with_pauses(call: Any, quiet_s: float) -> AsyncIterator[Any]:
    """The messages of a call, and None after every `quiet_s` seconds without one."""
    while True:
        reading = asyncio.ensure_future(call.read())
        try:
            while not (await asyncio.wait({reading}, timeout=quiet_s))[0]:
                yield None
            message = await reading
        finally:
            reading.cancel()
        if message is grpc.aio.EOF:
            return
        yield message


class _Writer:
    """Lines of JSON."""

    def __init__(self, exchange: Exchange, call: Any, media_type: str, encode: Callable[[Any], bytes]) -> None:
        self._exchange = exchange
        self._call = call
        self._media_type = media_type
        self._encode = encode

    async def message(self, message: Any) -> None:
        """Send one message, and the head of the response before the first."""
        chunk = self._encode(message)
        if not self._exchange.started:
            await self._start(message)
        await self._exchange.write(self._framed(chunk), more=True)

    async def keep_alive(self) -> None:
        """Lines have no form for nothing."""

    async def end(self) -> None:
        """Finish a stream that ended well; an empty one has no Content-Type."""
        if not self._exchange.started:
            await self._exchange.start(200, response_headers(await self._call.initial_metadata()))
        await self._exchange.write(b"", more=False)

    async def fail(self, error: ErrorAnswer) -> None:
        """Send an error: as the answer itself before the first message, else as the last line."""
        if not self._exchange.started:
            await self._exchange.answer(error.status, [("content-type", JSON), *error.headers], error.line)
            return
        await self._exchange.write(self._framed(error.line), more=False)

    async def _start(self, message: Any) -> None:
        headers = response_headers(await self._call.initial_metadata())
        await self._exchange.start(200, [("content-type", self._type_of(message)), *headers])

    def _type_of(self, _: Any) -> str:
        return self._media_type

    def _framed(self, line: bytes) -> bytes:
        return line


class _RawWriter(_Writer):
    """The chunks of google.api.HttpBody as they are; the first names the Content-Type."""

    def _type_of(self, message: Any) -> str:
        return message.content_type or "application/octet-stream"

    async def fail(self, error: ErrorAnswer) -> None:
        """An error behind the first chunk can only break the body off: nothing may be added to a download."""
        if self._exchange.started:
            raise BrokenStreamError("the service failed in the middle of a raw body")
        await super().fail(error)


class _EventWriter(_Writer):
    """Server-sent events; each line of JSON is the data of one."""

    async def keep_alive(self) -> None:
        """Keep proxies from closing a silent stream; it also tells the browser that it is connected."""
        if not self._exchange.started:
            await self._start(None)
        await self._exchange.write(_KEEPALIVE, more=True)

    async def end(self) -> None:
        """Tell the browser that the stream is complete."""
        if not self._exchange.started:
            await self._start(None)
        await self._exchange.write(_END_EVENT, more=False)

    def _framed(self, line: bytes) -> bytes:
        return b"data: " + line + b"\n"

    async def _start(self, message: Any) -> None:
        headers = response_headers(await self._call.initial_metadata()) if message is not None else []
        head = [("content-type", SSE), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
        await self._exchange.start(200, [*head, *headers])


class BrokenStreamError(Exception):
    """A raw body could not be completed; the server breaks the connection so that the client sees it."""

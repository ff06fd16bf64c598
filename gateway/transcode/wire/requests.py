"""Calls with many requests: the body is a sequence of messages, sent on as they arrive."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.types import HTTP_BODY, Types
from gateway.transcode.errors import bad_request, too_large
from gateway.transcode.marshal.codecs import Codec
from gateway.transcode.marshal.split import JsonSplitter
from gateway.transcode.options import Options
from gateway.transcode.wire.answers import Answers
from gateway.transcode.wire.asgi import Exchange
from gateway.transcode.wire.call import Multicallable, Terms, while_wanted
from gateway.transcode.wire.headers import header
from gateway.transcode.wire.unary import send_answer


class RequestStream:
    """The messages of one request's body: JSON values one behind the other, or the pieces of a google.api.HttpBody."""

    def __init__(
        self, exchange: Exchange, *, request: Descriptor, types: Types, codec: Codec, options: Options, raw: bool
    ) -> None:
        self._exchange = exchange
        self._class = types.message_class(request)
        self._read = codec.whole(request)
        self._limit_bytes = options.max_body_bytes
        self._raw = raw and request.full_name == HTTP_BODY

    async def send(self, call: Any) -> None:
        """Write all messages to the call, then wait until the client has gone; raises RefusedError for a broken one and
        ClientGoneError. A call that takes no more is left to say why."""
        try:
            async for message in self._raw_pieces() if self._raw else self._messages():
                await call.write(message)
            await call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # it is over; whoever reads its answer gets its status
        await self._exchange.gone()

    async def _messages(self) -> AsyncIterator[Message]:
        splitter = JsonSplitter()
        async for piece in self._exchange.pieces():
            for value in splitter.feed(piece):
                yield self._message(value)
            if splitter.waiting_bytes > self._limit_bytes:
                raise too_large(self._limit_bytes)
        rest = splitter.finish()
        if rest:
            yield self._message(rest)

    def _message(self, value: bytes) -> Message:
        if len(value) > self._limit_bytes:
            raise too_large(self._limit_bytes)
        message = self._class()
        try:
            self._read(message, value)
        except JsonError as fault:
            raise bad_request(fault.field, fault.reason) from None
        return message

    async def _raw_pieces(self) -> AsyncIterator[Any]:
        content_type = header(self._exchange.scope, b"content-type")
        async for piece in self._exchange.pieces():
            if piece:
                yield self._class(content_type=content_type, data=piece)


class ClientStream:
    """One client-streaming RPC behind one binding."""

    def __init__(self, call: Multicallable, *, answers: Answers, options: Options) -> None:
        self._call = call
        self._answers = answers
        self._options = options

    async def answer(self, exchange: Exchange, requests: RequestStream, terms: Terms) -> None:
        """Call and answer; raises RefusedError, AioRpcError, ClientGoneError, or ValueError as `UnaryCall` does."""
        call = self._call(metadata=terms.metadata, timeout=terms.timeout_s)
        try:
            response = await while_wanted(lambda: call, until=lambda: requests.send(call), cancel=call.cancel)
        finally:
            call.cancel()  # without effect on a finished call
        await send_answer(exchange, call, response, answers=self._answers, terms=terms, options=self._options)

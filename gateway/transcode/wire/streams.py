"""Calls with many answers: to one request, or to requests that come while the answers go (bidirectional)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from gateway.transcode.errors import RefusedError
from gateway.transcode.options import Options
from gateway.transcode.profile import Profile
from gateway.transcode.routing.rules import Binding
from gateway.transcode.wire.answers import Answers
from gateway.transcode.wire.asgi import Exchange
from gateway.transcode.wire.call import Multicallable, Terms, while_wanted
from gateway.transcode.wire.requests import RequestStream
from gateway.transcode.wire.status import ErrorWriter
from gateway.transcode.wire.streamed import LineWriter, stream_writer

_log = logging.getLogger(__name__)


class _Answering:
    """What both kinds have in common: the messages of a call forwarded to the client."""

    def __init__(
        self, call: Multicallable, *, binding: Binding, answers: Answers, profile: Profile, options: Options
    ) -> None:
        self._call = call
        self._rpc = binding.rpc
        self._answers = answers
        self._profile = profile
        self._options = options

    async def _forward(
        self, exchange: Exchange, call: Any, terms: Terms, *, until: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Send what the call gives until it is over, or `until` ends. The call's errors are answered here."""
        writer = stream_writer(
            exchange, call, answers=self._answers, terms=terms, profile=self._profile, options=self._options
        )
        errors = ErrorWriter(terms.codec, profile=self._profile, options=self._options)
        try:
            await while_wanted(lambda: self._write(call, writer), until=until, cancel=call.cancel)
        except RefusedError as refusal:  # a broken message among many
            if not exchange.started:
                raise
            await writer.fail(errors.of_refusal(refusal))
        except grpc.aio.AioRpcError as error:
            await writer.fail(errors.of_call(error))
        except ValueError as error:  # what its form cannot say; the lines before are out, so this must be one too
            _log.exception("a streamed message cannot be written", extra={"rpc": self._rpc})
            await writer.fail(errors.of_failure(error))
        finally:
            call.cancel()  # without effect on a finished call; a client that left must not keep one running

    async def _write(self, call: Any, writer: LineWriter) -> None:
        messages = _with_pauses(call, self._options.sse_keepalive_s) if writer.keeps_alive else call
        async for message in messages:
            await (writer.keep_alive() if message is None else writer.message(message))
        await writer.end()


class ServerStream(_Answering):
    """One server-streaming RPC behind one binding."""

    async def answer(self, exchange: Exchange, request: Message, terms: Terms) -> None:
        """Call and answer; raises ClientGoneError. The call's own errors are answered here."""
        call = self._call(request, metadata=terms.metadata, timeout=terms.timeout_s)
        await self._forward(exchange, call, terms, until=exchange.gone)


class BidiStream(_Answering):
    """One bidirectional RPC behind one binding: requests are read while answers are written."""

    async def answer(self, exchange: Exchange, requests: RequestStream, terms: Terms) -> None:
        """Call and answer; raises ClientGoneError, or RefusedError for a broken request before the first answer."""
        call = self._call(metadata=terms.metadata, timeout=terms.timeout_s)
        await self._forward(exchange, call, terms, until=lambda: requests.send(call))


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

"""A call with one request and one answer."""

from typing import Any

import grpc.aio
from google.protobuf.message import Message

from gateway.transcode.options import Options
from gateway.transcode.wire.answers import Answers
from gateway.transcode.wire.asgi import Exchange
from gateway.transcode.wire.call import Multicallable, Terms, while_wanted
from gateway.transcode.wire.headers import response_headers, success_status, trailers

_NO_CONTENT = frozenset({204, 205})


class UnaryCall:
    """One unary RPC behind one binding."""

    def __init__(self, call: Multicallable, *, answers: Answers, options: Options) -> None:
        self._call = call
        self._answers = answers
        self._options = options

    async def answer(self, exchange: Exchange, request: Message, terms: Terms) -> None:
        """Call and answer; raises AioRpcError, ClientGoneError, or ValueError for what the answer's form cannot say."""
        call: grpc.aio.UnaryUnaryCall[Message, Message] = self._call(
            request, metadata=terms.metadata, timeout=terms.timeout_s
        )
        response = await while_wanted(lambda: call, until=exchange.gone, cancel=call.cancel)
        await send_answer(exchange, call, response, answers=self._answers, terms=terms, options=self._options)


async def send_answer(
    exchange: Exchange, call: Any, response: Any, *, answers: Answers, terms: Terms, options: Options
) -> None:
    """Send the one answer of a call that is over."""
    initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    status = success_status(initial, trailing)
    headers = response_headers(initial, options)
    if status in _NO_CONTENT:
        await exchange.start(status, headers)
        await exchange.write(b"", more=False)
        return
    written = answers.whole(response, terms.codec)
    behind = trailers(trailing, options) if exchange.takes_trailers else []
    await exchange.answer(status, [("content-type", written.media_type), *headers], written.body, trailers=behind)

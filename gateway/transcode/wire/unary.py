"""A unary call and its answer: a message, one field of it, or the bytes of a google.api.HttpBody."""

from collections.abc import Callable
from typing import Any

import grpc.aio
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcode.codec.encode import EncoderSet, json_bytes
from gateway.transcode.options import Metadata
from gateway.transcode.routing.fields import resolve
from gateway.transcode.wire.asgi import Exchange
from gateway.transcode.wire.call import while_connected
from gateway.transcode.wire.headers import response_headers, success_status

JSON = "application/json"
HTTP_BODY = "google.api.HttpBody"
_NO_CONTENT = frozenset({204, 205})

Multicallable = Callable[..., Any]


def body_writer(output: Descriptor, response_body: str, encoders: EncoderSet) -> Callable[[Any], Any]:
    """The JSON value that a response message shows: all of it, or the field that `response_body` names."""
    if not response_body:
        return encoders.message(output)
    fields = resolve(output, response_body.split("."))
    *parents, last = [field.name for field in fields]
    convert = _field_writer(fields[-1], encoders)

    def write(message: Any) -> Any:
        for name in parents:
            message = getattr(message, name)
        return convert(message, last)

    return write


def _field_writer(field: FieldDescriptor, encoders: EncoderSet) -> Callable[[Any, str], Any]:
    convert = encoders.field(field)
    if field.message_type is not None and not field.is_repeated:
        assert convert is not None, "messages always have a converter"
        encode = convert
        return lambda message, name: encode(getattr(message, name)) if message.HasField(name) else None
    if convert is None:
        return getattr
    return lambda message, name: convert(getattr(message, name))


class UnaryCall:
    """One unary RPC behind one binding."""

    def __init__(self, call: Multicallable, *, output: Descriptor, response_body: str, encoders: EncoderSet) -> None:
        self._call = call
        self._raw = output.full_name == HTTP_BODY and not response_body
        self._value = body_writer(output, response_body, encoders)

    async def answer(self, exchange: Exchange, request: Message, *, metadata: Metadata, timeout_s: float) -> None:
        """Call and answer; raises AioRpcError, ClientGoneError, or ValueError for what JSON cannot say."""
        call: grpc.aio.UnaryUnaryCall[Message, Message] = self._call(request, metadata=metadata, timeout=timeout_s)
        response: Any = await while_connected(lambda: call, gone=exchange.gone, cancel=call.cancel)
        initial = await call.initial_metadata()
        status = success_status(initial, await call.trailing_metadata())
        headers = response_headers(initial)
        if status in _NO_CONTENT:
            await exchange.start(status, headers)
            await exchange.write(b"", more=False)
            return
        if self._raw:
            media_type, body = response.content_type or "application/octet-stream", bytes(response.data)
        else:
            media_type, body = JSON, json_bytes(self._value(response))
        await exchange.answer(status, [("content-type", media_type), *headers], body)

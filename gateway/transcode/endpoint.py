"""What serves one route, compiled at start: how its request is read, and which call it becomes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import grpc.aio

from gateway.transcode.codec.types import Types
from gateway.transcode.marshal.codecs import Codec
from gateway.transcode.marshal.registry import media_type
from gateway.transcode.options import Options
from gateway.transcode.profile import Profile
from gateway.transcode.request.assemble import RequestReader
from gateway.transcode.routing.rules import Binding
from gateway.transcode.wire.answers import Answers
from gateway.transcode.wire.asgi import Exchange
from gateway.transcode.wire.call import Terms
from gateway.transcode.wire.headers import header
from gateway.transcode.wire.health import Health
from gateway.transcode.wire.requests import ClientStream, RequestStream
from gateway.transcode.wire.socket import Frames
from gateway.transcode.wire.streams import BidiStream, ServerStream
from gateway.transcode.wire.unary import UnaryCall

FORM = "application/x-www-form-urlencoded"
_METHODS_WITH_FORMS = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request whose route is found."""

    exchange: Exchange
    values: tuple[str, ...]
    """Of the path variables."""
    terms: Terms
    inbound: Codec
    """Who reads the body."""
    is_form: bool
    """Whether the route was found because of a form: its fields are the query, whatever the route does with bodies."""


class Endpoint(Protocol):
    """What a route leads to."""

    timeout_s: float
    frames: Frames

    async def serve(self, request: Request) -> None:
        """Answer; raises RefusedError, AioRpcError, ClientGoneError, or ValueError for what the answer cannot say."""


class OneMessage:
    """A binding whose request is one message."""

    def __init__(
        self,
        binding: Binding,
        call: UnaryCall | ServerStream,
        *,
        types: Types,
        codecs: Iterable[Codec],
        profile: Profile,
        options: Options,
    ) -> None:
        self.timeout_s = options.stream_timeout_s if binding.method.server_streaming else options.default_timeout_s
        self.frames = Frames.ONE if binding.body else Frames.NONE
        self._call = call
        self._options = options
        self._takes_forms = profile.form_bodies_are_queries and not binding.body
        self._readers = {
            codec: RequestReader(binding, types=types, codec=codec, profile=profile, options=options)
            for codec in codecs
        }

    async def serve(self, request: Request) -> None:
        """See `Endpoint`."""
        exchange, options = request.exchange, self._options
        body = await exchange.body(limit_bytes=options.max_body_bytes, timeout_s=options.body_timeout_s)
        is_form = request.is_form or (self._takes_forms and _holds_form(exchange))
        message = self._readers[request.inbound].read(
            body=b"" if is_form else body,
            content_type=header(exchange.scope, b"content-type"),
            values=request.values,
            query=exchange.scope.get("query_string", b""),
            form=body if is_form else b"",
        )
        await self._call.answer(exchange, message, request.terms)


class ManyMessages:
    """A binding whose request is a stream of messages; path and query say nothing."""

    def __init__(
        self,
        binding: Binding,
        call: ClientStream | BidiStream,
        *,
        types: Types,
        profile: Profile,
        options: Options,
    ) -> None:
        self.timeout_s = options.stream_timeout_s
        self.frames = Frames.MANY
        self._input = binding.method.input_type
        self._call = call
        self._types = types
        self._raw = profile.raw_uploads
        self._options = options

    async def serve(self, request: Request) -> None:
        """See `Endpoint`."""
        messages = RequestStream(
            request.exchange,
            request=self._input,
            types=self._types,
            codec=request.inbound,
            options=self._options,
            raw=self._raw,
        )
        await self._call.answer(request.exchange, messages, request.terms)


class HealthCheck:
    """The path where the services' health is asked for."""

    frames = Frames.NONE

    def __init__(self, channel: grpc.aio.Channel, *, options: Options) -> None:
        self.timeout_s = options.default_timeout_s
        self._health = Health(channel)

    async def serve(self, request: Request) -> None:
        """See `Endpoint`."""
        await self._health.answer(request.exchange, timeout_s=request.terms.timeout_s)


def compile_endpoint(
    binding: Binding,
    channel: grpc.aio.Channel,
    *,
    types: Types,
    codecs: Iterable[Codec],
    profile: Profile,
    options: Options,
) -> Endpoint:
    """What serves a binding by way of `channel`."""
    method = binding.method
    answers = Answers(binding, options=options)
    call: Any = _PREPARE[method.client_streaming, method.server_streaming](channel)(
        binding.rpc,
        request_serializer=types.message_class(method.input_type).SerializeToString,
        response_deserializer=types.message_class(method.output_type).FromString,
    )
    if method.client_streaming:
        requests = (
            BidiStream(call, binding=binding, answers=answers, profile=profile, options=options)
            if method.server_streaming
            else ClientStream(call, answers=answers, options=options)
        )
        return ManyMessages(binding, requests, types=types, profile=profile, options=options)
    one = (
        ServerStream(call, binding=binding, answers=answers, profile=profile, options=options)
        if method.server_streaming
        else UnaryCall(call, answers=answers, options=options)
    )
    return OneMessage(binding, one, types=types, codecs=codecs, profile=profile, options=options)


_PREPARE: dict[tuple[bool, bool], Any] = {
    (False, False): lambda channel: channel.unary_unary,
    (False, True): lambda channel: channel.unary_stream,
    (True, False): lambda channel: channel.stream_unary,
    (True, True): lambda channel: channel.stream_stream,
}


def _holds_form(exchange: Exchange) -> bool:
    scope = exchange.scope
    return scope["method"] in _METHODS_WITH_FORMS and media_type(header(scope, b"content-type")) == FORM

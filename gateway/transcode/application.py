"""The transcoder as an ASGI application: HTTP in, gRPC out, by the rules of the contract."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import code_pb2

from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.codec.encode import EncoderSet
from gateway.transcode.codec.types import Types
from gateway.transcode.errors import RefusedError
from gateway.transcode.openapi import About, describe
from gateway.transcode.options import Options
from gateway.transcode.profile import DEFAULT, Profile
from gateway.transcode.request.assemble import RequestReader
from gateway.transcode.routing.escape import EscapeError
from gateway.transcode.routing.router import BadPathError, Match, NoRouteError, Router, WrongMethodError
from gateway.transcode.routing.rules import Binding
from gateway.transcode.routing.table import build_router, read_bindings
from gateway.transcode.wire.asgi import ClientGoneError, Exchange, Receive, Scope, Send
from gateway.transcode.wire.deadline import call_timeout_s
from gateway.transcode.wire.headers import call_metadata, header
from gateway.transcode.wire.status import ErrorAnswer, ErrorWriter
from gateway.transcode.wire.streams import ServerStream
from gateway.transcode.wire.unary import JSON, Multicallable, UnaryCall

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """Everything that serves one binding, compiled at start."""

    binding: Binding
    reader: RequestReader
    call: UnaryCall | ServerStream
    timeout_s: float


class Transcoder:
    """Serves every RPC with a google.api.http rule.

    `descriptors` hold the contract with its imports (and source info, for the OpenAPI document); `channels` give the
    channel of each service by full name. Nothing is sent before the first request.
    Raises ContractError when a rule cannot be served or a service has no channel.
    """

    def __init__(
        self,
        descriptors: FileDescriptorSet,
        channels: Mapping[str, grpc.aio.Channel],
        *,
        profile: Profile = DEFAULT,
        options: Options | None = None,
    ) -> None:
        self._profile = profile
        self._options = options or Options()
        self._descriptors = descriptors
        self.types = Types(descriptors)
        self.encoders = EncoderSet(self.types)
        self._decoders = DecoderSet(self.types)
        self._errors = ErrorWriter(self.encoders)
        self.routes: tuple[Binding, ...] = read_bindings(descriptors, self.types, channels)
        endpoints = [self._endpoint(binding, channels[binding.service]) for binding in self.routes]
        self._router: Router[_Endpoint] = build_router(self.routes, endpoints, profile)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection; a WebSocket that no one else wanted is closed."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._serve(Exchange(scope, receive, send))

    def openapi(self, about: About) -> dict[str, Any]:
        """The OpenAPI 3.1 document of the routes, as JSON values; see `About` for what the host adds."""
        return describe(self._descriptors, self.routes, types=self.types, about=about)

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._answer(exchange)
        except ClientGoneError:
            return
        except RefusedError as refusal:
            await _send_error(exchange, self._errors.of_refusal(refusal))
        except grpc.aio.AioRpcError as error:
            await _send_error(exchange, self._errors.of_call(error))
        except Exception:  # whatever broke, the client gets the fixed answer and the log the reason
            if exchange.started:
                raise
            _log.exception("a request failed", extra={"http_method": exchange.scope["method"]})
            await _send_error(exchange, self._errors.of_failure())

    async def _answer(self, exchange: Exchange) -> None:
        scope, options = exchange.scope, self._options
        match = self._match(exchange)
        endpoint = match.target
        metadata = call_metadata(scope, options)
        timeout_s = call_timeout_s(
            header(scope, b"grpc-timeout"), default_s=endpoint.timeout_s, max_s=options.max_timeout_s
        )
        body = await exchange.body(limit_bytes=options.max_body_bytes, timeout_s=options.body_timeout_s)
        request = endpoint.reader.read(
            body=body,
            content_type=header(scope, b"content-type"),
            values=match.values,
            query=scope.get("query_string", b""),
        )
        await endpoint.call.answer(exchange, request, metadata=metadata, timeout_s=timeout_s)

    def _match(self, exchange: Exchange) -> Match[_Endpoint]:
        try:
            return self._router.match(exchange.scope["method"], exchange.raw_path)
        except NoRouteError:
            raise RefusedError(code_pb2.NOT_FOUND, "Not Found") from None
        except WrongMethodError as error:
            raise self._wrong_method(error.allowed) from None
        except BadPathError:
            raise RefusedError(code_pb2.INVALID_ARGUMENT, "Bad Request") from None
        except EscapeError as error:
            raise RefusedError(code_pb2.UNKNOWN, str(error), status=400) from None

    def _wrong_method(self, allowed: Sequence[str]) -> RefusedError:
        status = self._profile.wrong_method_status
        headers = (("allow", ", ".join(allowed)),) if status == 405 else ()
        return RefusedError(code_pb2.UNIMPLEMENTED, "Method Not Allowed", status=status, headers=headers)

    def _endpoint(self, binding: Binding, channel: grpc.aio.Channel) -> _Endpoint:
        method = binding.method
        answer_class = self.types.message_class(method.output_type)
        streaming = method.server_streaming
        prepare: Callable[..., Multicallable] = channel.unary_stream if streaming else channel.unary_unary
        callable_ = prepare(
            binding.rpc,
            request_serializer=self.types.message_class(method.input_type).SerializeToString,
            response_deserializer=answer_class.FromString,
        )
        reader = RequestReader(binding, codec=self._decoders, profile=self._profile)
        if not streaming:
            unary = UnaryCall(
                callable_, output=method.output_type, response_body=binding.response_body, encoders=self.encoders
            )
            return _Endpoint(binding, reader, unary, self._options.default_timeout_s)
        stream = ServerStream(
            callable_,
            binding=binding,
            encoders=self.encoders,
            errors=self._errors,
            options=self._options,
        )
        return _Endpoint(binding, reader, stream, self._options.stream_timeout_s)


async def _send_error(exchange: Exchange, error: ErrorAnswer) -> None:
    await exchange.answer(error.status, [("content-type", JSON), *error.headers], error.body)


async def _lifespan(receive: Receive, send: Send) -> None:
    """A transcoder served on its own has nothing to start or stop; the channels belong to its host."""
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return

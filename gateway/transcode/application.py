"""The transcoder as an ASGI application: HTTP in, gRPC out, by the rules of the contract."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import code_pb2

from gateway.transcode.codec.types import Types
from gateway.transcode.endpoint import FORM, Endpoint, HealthCheck, Request, compile_endpoint
from gateway.transcode.errors import RefusedError
from gateway.transcode.marshal.registry import Registry
from gateway.transcode.openapi import About, describe
from gateway.transcode.options import Options
from gateway.transcode.profile import DEFAULT, Profile
from gateway.transcode.routing.escape import EscapeError
from gateway.transcode.routing.match import BadPathError, Match, NoRouteError, Router, WrongMethodError
from gateway.transcode.routing.rules import Binding, ContractError
from gateway.transcode.routing.table import add_routes, new_router, read_bindings
from gateway.transcode.routing.template import parse_template
from gateway.transcode.wire.asgi import ClientGoneError, Exchange, Receive, Scope, Send, raw_path
from gateway.transcode.wire.call import Terms
from gateway.transcode.wire.deadline import call_timeout_s
from gateway.transcode.wire.headers import call_metadata, header
from gateway.transcode.wire.socket import Frames, Socket, may_open
from gateway.transcode.wire.status import ErrorAnswer, ErrorWriter

_log = logging.getLogger(__name__)


class Transcoder:
    """Serves every RPC with a google.api.http rule.

    `descriptors` hold the contract with its imports (and source info, for the OpenAPI document); `channels` give the
    channel of each service by full name, `health` the one where `options.health_path` asks (None: nowhere). Nothing is
    sent before the first request. Raises ContractError when a rule cannot be served or a service has no channel.
    """

    def __init__(
        self,
        descriptors: FileDescriptorSet,
        channels: Mapping[str, grpc.aio.Channel],
        *,
        profile: Profile = DEFAULT,
        options: Options | None = None,
        health: grpc.aio.Channel | None = None,
    ) -> None:
        self._profile = profile
        self._options = options or Options()
        self._descriptors = descriptors
        try:
            self.types = Types(descriptors)
        except ValueError as error:
            raise ContractError([str(error)]) from None
        self._registry = Registry(self.types, self._options.marshalers)
        self._errors = {codec: ErrorWriter(codec, profile=profile, options=self._options) for codec in self._registry}
        self.routes: tuple[Binding, ...] = read_bindings(
            descriptors, self.types, channels, profile=profile, options=self._options
        )
        self._router: Router[Endpoint] = new_router(profile)
        if health is not None:
            path = parse_template(self._options.health_path)
            self._router.add("GET", path, HealthCheck(health, options=self._options))
        add_routes(self._router, self.routes, [self._endpoint(binding, channels) for binding in self.routes])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif self._options.serve_websockets and may_open(scope, self._options):
            await Socket(scope, receive, send, frames=self._frames).serve(self._serve)
        else:
            await send({"type": "websocket.close", "code": 1000})

    def openapi(self, about: About) -> dict[str, Any]:
        """The OpenAPI 3.1 document of the routes, as JSON values; see `About` for what the host adds."""
        return describe(
            self._descriptors, self.routes, types=self.types, about=about, profile=self._profile, options=self._options
        )

    def _endpoint(self, binding: Binding, channels: Mapping[str, grpc.aio.Channel]) -> Endpoint:
        return compile_endpoint(
            binding,
            channels[binding.service],
            types=self.types,
            codecs=self._registry,
            profile=self._profile,
            options=self._options,
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, content_length=self._profile.content_length)
        errors = self._errors[self._registry.outbound(scope)]
        try:
            await self._answer(exchange)
        except ClientGoneError:
            return
        except RefusedError as refusal:
            await _send_error(exchange, errors.of_refusal(refusal))
        except grpc.aio.AioRpcError as error:
            await _send_error(exchange, errors.of_call(error))
        except Exception as error:  # whatever broke, the client gets an answer and the log the reason
            if exchange.started:
                raise
            _log.exception("a request failed", extra={"http_method": scope["method"]})
            await _send_error(exchange, errors.of_failure(error))

    async def _answer(self, exchange: Exchange) -> None:
        scope, options = exchange.scope, self._options
        match, is_form = self._route(exchange)
        timeout_s = call_timeout_s(
            header(scope, b"grpc-timeout"), default_s=match.target.timeout_s, max_s=options.max_timeout_s
        )
        terms = Terms(call_metadata(scope, options), timeout_s, self._registry.outbound(scope))
        inbound = self._registry.inbound(scope)
        await match.target.serve(
            Request(exchange=exchange, values=match.values, terms=terms, inbound=inbound, is_form=is_form)
        )

    def _route(self, exchange: Exchange) -> tuple[Match[Endpoint], bool]:
        """The route, and whether a form was what led to it."""
        method = exchange.scope["method"]
        is_form = method == "POST" and header(exchange.scope, b"content-type") == FORM
        override = header(exchange.scope, b"x-http-method-override")
        if is_form and override and self._profile.method_override:
            return self._match(override.upper(), raw_path(exchange.scope)), True
        try:
            return self._match(method, raw_path(exchange.scope)), False
        except _OtherMethodsError as error:
            if is_form and self._profile.form_posts_fall_back_to_get and "GET" in error.allowed:
                return self._match("GET", raw_path(exchange.scope)), True
            raise

    def _match(self, method: str, path: bytes) -> Match[Endpoint]:
        try:
            return self._router.match(method, path)
        except NoRouteError:
            raise RefusedError(code_pb2.NOT_FOUND, "Not Found") from None
        except WrongMethodError as error:
            raise _OtherMethodsError(error.allowed, status=self._profile.wrong_method_status) from None
        except BadPathError:
            raise RefusedError(code_pb2.INVALID_ARGUMENT, "Bad Request") from None
        except EscapeError as error:
            raise RefusedError(code_pb2.UNKNOWN, str(error), status=400) from None

    def _frames(self, scope: Scope) -> Frames:
        """How many frames of a WebSocket the request inside takes; what has no route takes none."""
        try:
            return self._router.match(scope["method"], raw_path(scope)).target.frames
        except (NoRouteError, WrongMethodError, BadPathError, EscapeError):
            return Frames.NONE


class _OtherMethodsError(RefusedError):
    """The path exists for `allowed` methods only."""

    def __init__(self, allowed: Sequence[str], *, status: int) -> None:
        headers = (("allow", ", ".join(allowed)),) if status == 405 else ()
        super().__init__(code_pb2.UNIMPLEMENTED, "Method Not Allowed", status=status, headers=headers)
        self.allowed = allowed


async def _send_error(exchange: Exchange, error: ErrorAnswer) -> None:
    trailers = error.trailers if exchange.takes_trailers else ()
    await exchange.answer(error.status, error.headers, error.body, trailers=trailers)


async def _lifespan(receive: Receive, send: Send) -> None:
    """A transcoder served on its own has nothing to start or stop; the channels belong to its host."""
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return

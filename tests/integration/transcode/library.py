"""A real gRPC server behind a real transcoder: the library of the test contract."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from gateway.transcode import DEFAULT, Options, Profile, Transcoder, Types
from tests.unit.transcode import contract

SERVICE = "library.v1.Library"
TALKS = "library.v1.Talks"

Handler = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Any]


class Backend(grpc.GenericRpcHandler):
    """Answers each method of a service by the handler of its name; `calls` keeps every request and its metadata (of a
    stream of requests: the list of those that came so far)."""

    def __init__(self, *, talks: bool = False, **handlers: Handler) -> None:
        self.service_name = TALKS if talks else SERVICE
        self.descriptors = contract.talks() if talks else contract.library()
        self._types = Types(self.descriptors)
        self.handlers = handlers
        self.calls: list[tuple[str, Any, dict[str, list[str | bytes]]]] = []
        self.cancelled = asyncio.Event()

    @property
    def last_metadata(self) -> dict[str, list[str | bytes]]:
        """The metadata of the last call, by key."""
        return self.calls[-1][2]

    def make(self, kind: str, /, **fields: Any) -> Any:
        """A message of the contract."""
        found = self._types.find(f"library.v1.{kind}")
        assert found is not None, kind
        return self._types.message_class(found)(**fields)

    def service(self, call: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        name = call.method.rpartition("/")[2]
        handler = self.handlers.get(name)
        if handler is None:
            return None
        return self._handler(self._types.pool.FindServiceByName(self.service_name).methods_by_name[name], handler)

    def _handler(self, method: MethodDescriptor, handler: Handler) -> "grpc.RpcMethodHandler[Any, Any]":
        async def unary(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Message:
            return await self._watched(handler(self._noted(method, request, context), context))

        async def stream(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> AsyncIterator[Message]:
            try:
                async for message in handler(self._noted(method, request, context), context):
                    yield message
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

        make: Any = _KINDS[method.client_streaming, method.server_streaming]
        handled: grpc.RpcMethodHandler[Any, Any] = make(
            stream if method.server_streaming else unary,
            request_deserializer=self._types.message_class(method.input_type).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        return handled

    def _noted(self, method: MethodDescriptor, request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        """The request, or the requests as they come; either is kept in `calls`."""
        metadata: dict[str, list[str | bytes]] = {}
        for key, value in context.invocation_metadata() or ():
            metadata.setdefault(key, []).append(value)
        if not method.client_streaming:
            self.calls.append((method.name, request, metadata))
            return request
        seen: list[Any] = []
        self.calls.append((method.name, seen, metadata))

        async def requests() -> AsyncIterator[Any]:
            async for message in request:
                seen.append(message)
                yield message

        return requests()

    async def _watched(self, work: Awaitable[Message]) -> Message:
        try:
            return await work
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


_KINDS: dict[tuple[bool, bool], Any] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


@asynccontextmanager
async def serving(
    backend: Backend,
    options: Options | None = None,
    *,
    profile: Profile = DEFAULT,
    health: grpc.GenericRpcHandler | None = None,
) -> AsyncIterator[Transcoder]:
    """A transcoder whose channel leads to `backend`, and to `health` if that is given."""
    server = grpc.aio.server(options=[("grpc.http2.bdp_probe", 0)])
    server.add_generic_rpc_handlers((backend,) if health is None else (health, backend))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Transcoder(
                backend.descriptors,
                {backend.service_name: channel},
                profile=profile,
                options=options,
                health=None if health is None else channel,
            )
    finally:
        await server.stop(0)

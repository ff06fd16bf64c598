"""A real gRPC server behind a real transcoder: the library of the test contract."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from gateway.transcode import Options, Transcoder
from tests.unit.transcode import contract

SERVICE = "library.v1.Library"

Handler = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Any]


class Backend(grpc.GenericRpcHandler):
    """Answers each method of the library by the handler of its name; `calls` keeps every request and its metadata."""

    def __init__(self, **handlers: Handler) -> None:
        self.handlers = handlers
        self.calls: list[tuple[str, Any, dict[str, list[str | bytes]]]] = []
        self.cancelled = asyncio.Event()

    @property
    def last_metadata(self) -> dict[str, list[str | bytes]]:
        """The metadata of the last call, by key."""
        return self.calls[-1][2]

    def service(self, call: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        method = contract.types().pool.FindServiceByName(SERVICE).methods_by_name[call.method.rpartition("/")[2]]
        handler = self.handlers.get(method.name)
        if handler is None:
            return None
        return self._handler(method, handler)

    def _handler(self, method: MethodDescriptor, handler: Handler) -> "grpc.RpcMethodHandler[Any, Any]":
        request_class = contract.types().message_class(method.input_type)

        async def unary(request: Message, context: "grpc.aio.ServicerContext[Any, Any]") -> Message:
            self._note(method.name, request, context)
            return await self._watched(handler(request, context))

        async def stream(request: Message, context: "grpc.aio.ServicerContext[Any, Any]") -> AsyncIterator[Message]:
            self._note(method.name, request, context)
            try:
                async for message in handler(request, context):
                    yield message
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

        make: Any = (
            grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        )
        handled: grpc.RpcMethodHandler[Any, Any] = make(
            stream if method.server_streaming else unary,
            request_deserializer=request_class.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        return handled

    def _note(self, name: str, request: Message, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        metadata: dict[str, list[str | bytes]] = {}
        for key, value in context.invocation_metadata() or ():
            metadata.setdefault(key, []).append(value)
        self.calls.append((name, request, metadata))

    async def _watched(self, work: Awaitable[Message]) -> Message:
        try:
            return await work
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@asynccontextmanager
async def serving(backend: Backend, options: Options | None = None) -> AsyncIterator[Transcoder]:
    """A transcoder whose channel leads to `backend`."""
    server = grpc.aio.server(options=[("grpc.http2.bdp_probe", 0)])
    server.add_generic_rpc_handlers((backend,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Transcoder(contract.library(), {SERVICE: channel}, options=options)
    finally:
        await server.stop(0)

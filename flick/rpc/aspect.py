"""What surrounds every call of a server: an aspect is one concern, and one interceptor runs them all in order."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Call:
    """One call. `method` is `/package.Service/Method`; `request` is None where the client streams."""

    method: str
    request: Message | None
    context: Context


class Aspect(Protocol):
    """One concern of every call."""

    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Entered before the handler begins and left when it has ended; raises to refuse the call."""
        ...


class AspectInterceptor(grpc.aio.ServerInterceptor):
    """Runs `aspects`, the first one outermost, around every call of every kind."""

    def __init__(self, *, aspects: Sequence[Aspect]) -> None:
        self._aspects = tuple(aspects)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler that gRPC would call."""
        handler = await continuation(handler_call_details)
        if handler is None:  # gRPC itself answers UNIMPLEMENTED
            return None
        method = handler_call_details.method
        if handler.response_streaming:
            handle = handler.stream_stream or handler.unary_stream
            # A handler yields its answers, or it is a coroutine that writes them to its context.
            wrap = self._stream if inspect.isasyncgenfunction(handle) else self._unary
            wrapped = wrap(method, handle, handler.request_streaming)
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
        else:
            wrapped = self._unary(method, handler.stream_unary or handler.unary_unary, handler.request_streaming)
            make = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
        return make(wrapped, handler.request_deserializer, handler.response_serializer)

    def _unary(self, method: str, handle: Callable[..., Any], request_streaming: bool) -> Callable[..., Any]:
        async def unary(request: Any, context: Context) -> Any:
            async with AsyncExitStack() as stack:
                await self._enter(stack, Call(method, None if request_streaming else request, context))
                return await handle(request, context)

        return unary

    def _stream(self, method: str, handle: Callable[..., Any], request_streaming: bool) -> Callable[..., Any]:
        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            async with AsyncExitStack() as stack:
                await self._enter(stack, Call(method, None if request_streaming else request, context))
                responses = await stack.enter_async_context(aclosing(handle(request, context)))
                async for response in responses:
                    yield response

        return stream

    async def _enter(self, stack: AsyncExitStack, call: Call) -> None:
        for aspect in self._aspects:
            await stack.enter_async_context(aspect.around(call))

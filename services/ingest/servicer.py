"""`IngestService`: proto in, proto out. Agents' frames are taken as they came on the wire, so that of one that can't be
read at least its place can be told.
"""

import asyncio
from contextlib import suppress

import grpc
from google.protobuf.message import DecodeError

from flick.errors import FlickError, Kind, invalid
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.v1 import ingest_pb2
from services.ingest.intake.lanes import ProtocolError
from services.ingest.streams.hearing import hear_out
from services.ingest.streams.outbox import Response
from services.ingest.streams.parts import Parts
from services.ingest.streams.roster import Roster
from services.ingest.streams.session import Session

DESCRIPTOR = ingest_pb2.DESCRIPTOR.services_by_name["IngestService"]


class IngestServicer:
    """Answers agents."""

    def __init__(self, *, parts: Parts, roster: Roster) -> None:
        self._parts = parts
        self._roster = roster

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serve the methods of the contract."""
        handler: grpc.RpcMethodHandler[bytes, Response] = grpc.stream_stream_rpc_method_handler(
            self.StreamTelemetry, response_serializer=Response.SerializeToString
        )
        handlers = {"StreamTelemetry": handler}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(DESCRIPTOR.full_name, handlers),))
        server.add_registered_method_handlers(DESCRIPTOR.full_name, handlers)

    async def StreamTelemetry(self, _requests: object, context: Context) -> None:
        """See the contract."""
        caller = current_caller()
        hello = await self._hello(context)
        settings = await self._parts.access.settings(server_id=caller.server_id)
        if settings is None:
            raise FlickError(Kind.UNAUTHENTICATED, "The server of this agent key is gone. Enroll it anew.")
        try:
            session = Session(caller=caller, hello=hello, settings=settings, parts=self._parts)
        except ProtocolError as error:
            await context.write(Response(fatal=error.fatal()))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._parts.times.hear_out_s):
                    await hear_out(context)
            raise error.flick_error() from error
        if self._roster.farewells.begun:  # the agent was on its way here when this process was told to end
            self._roster.farewells.came()
            await context.write(Response(drain=self._roster.farewells.drain(caller.server_id)))
            return
        with self._roster.entered(session), self._parts.hosts.heard(session.stream, hello):
            del hello  # as long as the stream may live, it need not
            failure = await session.run(context)
        if failure is not None:
            raise failure

    async def _hello(self, context: Context) -> ingest_pb2.Hello:
        try:
            async with asyncio.timeout(self._parts.times.hello_s):
                first = await context.read()
        except TimeoutError as error:
            raise invalid("hello", "it did not come. Send it as the first frame.") from error
        if first is grpc.aio.EOF:
            raise invalid("hello", "it did not come. Send it as the first frame.")
        try:
            request = ingest_pb2.StreamTelemetryRequest.FromString(first)
        except DecodeError as error:
            raise invalid("hello", "it can't be read. Send a StreamTelemetryRequest.") from error
        if not request.HasField("hello"):
            raise invalid("hello", "it is the first frame of every stream.")
        self._observe_clock(request.hello)
        return request.hello

    def _observe_clock(self, hello: ingest_pb2.Hello) -> None:
        if hello.HasField("send_time"):
            sent_ns = hello.send_time.seconds * 10**9 + hello.send_time.nanos
            self._parts.metrics.streams.clock_offset.observe(abs(sent_ns - self._parts.clock.time_unix_nano()) / 1e9)

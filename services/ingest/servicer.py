"""`IngestService`: proto in, proto out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from flick.errors import FlickError, Kind, invalid
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.v1 import ingest_pb2, ingest_pb2_grpc
from services.ingest.intake.lanes import ProtocolError
from services.ingest.streams.intake import Request
from services.ingest.streams.outbox import Response
from services.ingest.streams.parts import Parts
from services.ingest.streams.roster import Roster
from services.ingest.streams.session import Session


class IngestServicer(ingest_pb2_grpc.IngestServiceServicer):
    """Answers agents."""

    def __init__(self, *, parts: Parts, roster: Roster) -> None:
        self._parts = parts
        self._roster = roster

    async def StreamTelemetry(
        self, requests: AsyncIterator[Request], context: Context
    ) -> AsyncGenerator[Response, None]:
        """See the contract."""
        caller = current_caller()
        hello = await self._hello(requests)
        settings = await self._parts.access.settings(server_id=caller.server_id)
        if settings is None:
            raise FlickError(Kind.UNAUTHENTICATED, "The server of this agent key is gone. Enroll it anew.")
        try:
            session = Session(caller=caller, hello=hello, settings=settings, parts=self._parts)
        except ProtocolError as error:
            yield Response(fatal=ingest_pb2.Fatal(code=ingest_pb2.FATAL_CODE_PROTOCOL, message=str(error)))
            raise FlickError(Kind.INVALID_ARGUMENT, str(error), reason="PROTOCOL") from error
        with self._roster.entered(session):
            async with aclosing(session.run(requests)) as responses:
                async for response in responses:
                    yield response

    async def _hello(self, requests: AsyncIterator[Request]) -> ingest_pb2.Hello:
        try:
            async with asyncio.timeout(self._parts.times.hello_s):
                first = await anext(requests)
        except (TimeoutError, StopAsyncIteration) as error:
            raise invalid("hello", "it did not come. Send it as the first frame.") from error
        if not first.HasField("hello"):
            raise invalid("hello", "it is the first frame of every stream.")
        if first.hello.HasField("send_time"):
            sent_ns = first.hello.send_time.seconds * 10**9 + first.hello.send_time.nanos
            self._parts.metrics.clock_offset.observe(abs(sent_ns - self._parts.clock.time_unix_nano()) / 1e9)
        return first.hello

"""An ingest that a test writes line by line: a real gRPC server with real TLS on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
from google.protobuf.duration_pb2 import Duration

from flick.clock import SystemClock
from flick.v1 import ingest_pb2, ingest_pb2_grpc, servers_pb2
from tests.integration.agent.certificates import Issued

Request = ingest_pb2.StreamTelemetryRequest
Response = ingest_pb2.StreamTelemetryResponse
WITHIN_S = 15.0


class Visit:
    """One stream of an agent, as the test sees it from the server's side."""

    def __init__(self, context: grpc.aio.ServicerContext[Request, Response]) -> None:
        self._context = context
        self.metadata = dict(context.invocation_metadata() or ())
        self.hello = ingest_pb2.Hello()

    async def next(self) -> Request:
        """The next frame; fails when none comes in time, EOFError when the agent said all."""
        frame = await asyncio.wait_for(self._context.read(), WITHIN_S)
        if not isinstance(frame, Request):
            raise EOFError
        return frame

    async def batch(self) -> ingest_pb2.MetricBatch:
        """The next frame, which is a batch."""
        frame = await self.next()
        assert frame.WhichOneof("frame") == "metric_batch", frame
        return frame.metric_batch

    async def say(self, **frame: object) -> None:
        await self._context.write(Response(**frame))  # type: ignore[arg-type]

    async def welcome(self, *, batches: int = 8, ahead_s: float = 0.0, **more: object) -> ingest_pb2.Hello:
        """Take Hello and answer it."""
        self.hello = (await self.next()).hello
        welcome = ingest_pb2.Welcome(
            server_id="server",
            max_unacked_batches=batches,
            max_unacked_bytes=4 * 1024 * 1024,
            **more,  # type: ignore[arg-type]
        )
        welcome.server_time.FromNanoseconds(SystemClock().time_unix_nano() + round(ahead_s * 1e9))
        await self.say(welcome=welcome)
        return self.hello

    async def ack(self, batch: ingest_pb2.MetricBatch | ingest_pb2.Gap) -> None:
        await self.say(ack=ingest_pb2.Ack(lane=batch.lane, seq=batch.seq))

    async def nothing_else(self) -> None:
        """Fail if the agent sends anything but answers: what it may send now would come before the second answer."""
        for ping_id in (1, 2):
            await self.say(ping=ingest_pb2.Ping(ping_id=ping_id))
            assert (await self.next()).pong.ping_id == ping_id

    async def abort(self, code: grpc.StatusCode, text: str) -> None:
        await self._context.abort(code, text)

    async def until_gone(self) -> None:
        """Read until the agent leaves."""
        try:
            while True:
                await self.next()
        except EOFError:
            return


Script = Callable[[Visit], Awaitable[None]]


class ScriptedIngest(ingest_pb2_grpc.IngestServiceServicer):
    """Gives each visit to the next script; the last script takes all further ones. Failures of scripts are kept.

    A script that ends ends its stream, and the agent is back within milliseconds: what must be played once only is
    followed by `Visit.until_gone`.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self.visits: list[Visit] = []
        self.done: asyncio.Queue[BaseException | None] = asyncio.Queue()

    async def StreamTelemetry(  # type: ignore[override]  # the reading style of grpc.aio
        self, request_iterator: object, context: grpc.aio.ServicerContext[Request, Response]
    ) -> None:
        visit = Visit(context)
        self.visits.append(visit)
        script = self._scripts[min(len(self.visits), len(self._scripts)) - 1]
        try:
            await script(visit)
        except (AssertionError, TimeoutError, EOFError) as error:
            await self.done.put(error)
        except grpc.aio.AbortError:
            await self.done.put(None)
            raise
        else:
            await self.done.put(None)

    async def played(self) -> None:
        """Wait until one more script has ended, and fail as it failed."""
        failure = await asyncio.wait_for(self.done.get(), WITHIN_S)
        if failure is not None:
            raise failure


@asynccontextmanager
async def serving(
    servicer: ScriptedIngest, *, tls: Issued | None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """The server's address."""
    server = grpc.aio.server(options=[("grpc.http2.bdp_probe", 0)])
    ingest_pb2_grpc.add_IngestServiceServicer_to_server(servicer, server)
    address = f"{host}:{port}"
    if tls is None:
        bound = server.add_insecure_port(address)
    else:
        bound = server.add_secure_port(
            address, grpc.ssl_server_credentials([(tls.key_pem.encode(), tls.certificate_pem.encode())])
        )
    await server.start()
    try:
        yield f"{host}:{bound}"
    finally:
        await server.stop(0)


def seconds(value: float) -> Duration:
    return Duration(seconds=int(value), nanos=round(value % 1 * 1e9))


def settings(*, interval_s: int = 1, processes: bool = True, commands: bool = True) -> ingest_pb2.Settings:
    return ingest_pb2.Settings(
        server=servers_pb2.ServerSettings(
            metric_interval=Duration(seconds=interval_s),
            processes_enabled=processes,
            process_commands_enabled=commands,
        )
    )

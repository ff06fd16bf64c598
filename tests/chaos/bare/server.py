"""Takes agents' streams, keeps nothing and acks everything: `-m tests.chaos.bare.server CERTIFICATE KEY ARRIVALS`.

It says on which address it serves. At SIGTERM it sends its streams away, and when they are gone writes to ARRIVALS, in
JSON, the moments of the monotonic clock at which each agent's frames came, by the agent's authorization.
"""

import asyncio
import json
import random
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import grpc
import uvloop

from flick.lifecycle import raise_file_limit, stop_requested
from flick.rpc.server import OPTIONS
from flick.v1 import ingest_pb2
from services.ingest.servicer import DESCRIPTOR
from services.ingest.streams.times import StreamTimes

TIMES = StreamTimes()
WELCOME = ingest_pb2.StreamTelemetryResponse(
    welcome=ingest_pb2.Welcome(max_unacked_batches=8, max_unacked_bytes=2**22)
).SerializeToString()

Context = Any  # grpc.aio.ServicerContext; its stubs know no read and write


class Bare:
    """Answers streams. `arrivals` has the moments of each agent's frames."""

    def __init__(self) -> None:
        self.arrivals: defaultdict[str, list[float]] = defaultdict(list)
        self._open: set[Context] = set()
        self._leaving = False

    async def stream(self, _requests: object, context: Context) -> None:
        """Ack what comes until the agent leaves."""
        arrivals = self.arrivals[dict(context.invocation_metadata())["authorization"]]
        await context.read()
        await context.write(_drain() if self._leaving else WELCOME)
        self._open.add(context)
        try:
            while (raw := await context.read()) is not grpc.aio.EOF:
                arrivals.append(time.monotonic())
                batch = ingest_pb2.StreamTelemetryRequest.FromString(raw).metric_batch
                await context.write(_response(ack=ingest_pb2.Ack(lane=batch.lane, seq=batch.seq)))
        finally:
            self._open.discard(context)

    async def leave(self) -> None:
        """Send every stream away, also those that come from now on."""
        self._leaving = True
        await asyncio.gather(*(context.write(_drain()) for context in self._open), return_exceptions=True)


def _drain() -> bytes:
    drain = ingest_pb2.Drain()
    drain.deadline.FromNanoseconds(int(TIMES.drain_s * 1e9))
    drain.reconnect_after.FromNanoseconds(int(random.uniform(0, TIMES.reconnect_within_s) * 1e9))
    return _response(drain=drain)


def _response(**frame: Any) -> bytes:
    return ingest_pb2.StreamTelemetryResponse(**frame).SerializeToString()


async def main(certificate: Path, key: Path, arrivals: Path) -> None:
    """Serve until ended."""
    bare, server = Bare(), grpc.aio.server(options=OPTIONS)
    # Without a deserializer and a serializer: the bytes as they come and go.
    handler: Any = grpc.stream_stream_rpc_method_handler(bare.stream)
    handlers = {"StreamTelemetry": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(DESCRIPTOR.full_name, handlers),))
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    async with stop_requested() as stop:
        await server.start()
        print(json.dumps({"message": "serving", "address": f"127.0.0.1:{port}"}), flush=True)  # noqa: T201
        await stop.wait()
        await bare.leave()
        await asyncio.sleep(TIMES.quiet_s)
        await server.stop(TIMES.drain_s)
    arrivals.with_name(f"{arrivals.name}-{port}.json").write_text(json.dumps(bare.arrivals))


if __name__ == "__main__":
    raise_file_limit()
    uvloop.run(main(*map(Path, sys.argv[1:])))

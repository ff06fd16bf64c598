"""The least that can take agents' streams: an empty grpc.aio handler that counts frames and acks them in batches.

`python -m tests.bench.ceilings.bidi`: says its address, serves until it is ended. It parses nothing and keeps nothing.
"""

import asyncio
import json
from typing import Any

import grpc
import uvloop

from flick.lifecycle import raise_file_limit
from flick.rpc.server import OPTIONS
from flick.v1 import ingest_pb2
from services.ingest.writing.writer import LINGER_S
from tests.bench.load.agent import METHOD

WELCOME = ingest_pb2.StreamTelemetryResponse(welcome=ingest_pb2.Welcome(max_unacked_batches=8)).SerializeToString()


class Ceiling:
    """Takes every stream."""

    def __init__(self) -> None:
        self._unacked: dict[Any, int] = {}  # by the stream's context

    async def serve(self, _requests: Any, context: Any) -> None:
        """Take a stream's frames until it ends."""
        await context.read()
        await context.write(WELCOME)
        taken = 0
        while await context.read() is not grpc.aio.EOF:
            taken += 1
            self._unacked[context] = taken

    async def ack(self) -> None:
        """Ack what came, every now and then, as long as this runs."""
        while True:
            await asyncio.sleep(LINGER_S)
            unacked, self._unacked = self._unacked, {}
            await asyncio.gather(*(_ack(context, seq) for context, seq in unacked.items()))


async def _ack(context: Any, seq: int) -> None:
    ack = ingest_pb2.Ack(lane=ingest_pb2.LANE_LIVE, seq=seq)
    await context.write(ingest_pb2.StreamTelemetryResponse(ack=ack).SerializeToString())


async def main() -> None:
    """Serve until ended."""
    ceiling = Ceiling()
    server = grpc.aio.server(options=OPTIONS)
    _, service, method = METHOD.split("/")
    handler: Any = grpc.stream_stream_rpc_method_handler(
        ceiling.serve
    )  # without a deserializer: the bytes as they came
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"message": "serving", "address": f"127.0.0.1:{port}"}), flush=True)
    await ceiling.ack()


if __name__ == "__main__":
    raise_file_limit()
    uvloop.run(main())

"""The least that brings a sample from a gRPC stream to a WebSocket: one process that passes on the bytes as they come.

python -m tests.bench.ceilings.live_relay CERTIFICATE KEY

Streams come over TLS and say whose they are by their credential; a socket at `/?CREDENTIAL&CREDENTIAL...` gets what
comes on theirs. Nothing is read, checked, stored or asked. Prints the ports of both as JSON.
"""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import grpc
import uvicorn
import uvloop

from flick.v1 import ingest_pb2

WELCOME = ingest_pb2.StreamTelemetryResponse(welcome=ingest_pb2.Welcome()).SerializeToString()

Viewers = MutableMapping[str, "set[asyncio.Queue[bytes]]"]


class Relay(grpc.GenericRpcHandler):
    """Every method is the same: Welcome for the first message, and each that follows goes to the viewers."""

    def __init__(self) -> None:
        self.viewers: Viewers = defaultdict(set)

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Messages stay bytes."""
        return grpc.stream_stream_rpc_method_handler(self._relay)

    async def _relay(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        viewers = self.viewers[dict(context.invocation_metadata())["authorization"].removeprefix("Bearer ")]
        await anext(requests)
        yield WELCOME
        async for request in requests:
            for viewer in viewers:
                viewer.put_nowait(request)

    async def application(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """A socket."""
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        waiting: asyncio.Queue[bytes] = asyncio.Queue()
        for name in scope["query_string"].decode().split("&"):
            self.viewers[name].add(waiting)
        while True:
            await send({"type": "websocket.send", "bytes": await waiting.get()})


async def main(certificate: bytes, key: bytes) -> None:
    """Relay until the process is ended."""
    relay = Relay()
    server = grpc.aio.server(options=[("grpc.http2.bdp_probe", 0)])
    server.add_generic_rpc_handlers((relay,))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    await server.start()
    sockets = uvicorn.Server(
        uvicorn.Config(
            relay.application,
            interface="asgi3",
            port=0,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws_per_message_deflate=False,
        )
    )
    serving = asyncio.create_task(sockets.serve())
    while not sockets.started:
        await asyncio.sleep(0.01)
    web = sockets.servers[0].sockets[0].getsockname()[1]
    print(json.dumps({"streams": f"127.0.0.1:{port}", "sockets": f"ws://127.0.0.1:{web}"}), flush=True)
    await serving


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]).read_bytes()))

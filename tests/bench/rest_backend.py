"""`python -m tests.bench.rest_backend`: a service behind the gateway that answers at once, so that what lies before it
is measured."""

import asyncio
import json
from typing import Any

import grpc.aio

from tests.bench.transcoding import answer

METHOD = "/flick.v1.QueryService/GetLatestMetrics"


class _Query(grpc.GenericRpcHandler):
    """Gives the same answer to every request."""

    def __init__(self) -> None:
        self._answer = answer().SerializeToString()

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        if call.method != METHOD:
            return None

        async def handle(_request: bytes, _context: Any) -> bytes:
            return self._answer

        return grpc.unary_unary_rpc_method_handler(handle)


async def main() -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server(options=[("grpc.http2.bdp_probe", 0)])
    server.add_generic_rpc_handlers((_Query(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"message": "serving", "address": f"127.0.0.1:{port}"}), flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())

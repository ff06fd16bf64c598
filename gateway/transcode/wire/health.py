"""`/healthz`: the gRPC health protocol over HTTP, for load balancers. `?service=` asks for one service."""

from typing import Any

import grpc.aio
from google.rpc import code_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.transcode.errors import RefusedError
from gateway.transcode.request.query import parse_query
from gateway.transcode.wire.asgi import Exchange

_JSON = "application/json"
_Response = health_pb2.HealthCheckResponse


class Health:
    """Asks the health service behind one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = health_pb2_grpc.HealthStub(channel)  # its types don't know the asynchronous form

    async def answer(self, exchange: Exchange, *, timeout_s: float | None) -> None:
        """200 for SERVING; raises RefusedError for everything else and AioRpcError when asking fails."""
        service = parse_query(exchange.scope.get("query_string", b"")).get("service", [""])[0]
        response = await self._stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s)
        name = _Response.ServingStatus.Name(response.status)
        if response.status == _Response.SERVICE_UNKNOWN:
            raise RefusedError(code_pb2.NOT_FOUND, f"status:{name}")
        if response.status != _Response.SERVING:
            raise RefusedError(code_pb2.UNAVAILABLE, f"status:{name}")
        await exchange.answer(200, [("content-type", _JSON)], b'{"status":"SERVING"}')

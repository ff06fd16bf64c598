"""Whether a part can be used: the questions that the launcher asks before it starts the next."""

import asyncio
import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

_TIMEOUT_S = 2.0


async def grpc_serves(address: str, *, authority_pem: bytes | None = None) -> bool:
    """Return whether a gRPC server answers and reports itself as serving.

    Args:
        address: host:port.
        authority_pem: the authority to trust; absent: plaintext.
    """
    if authority_pem is None:
        channel = grpc.aio.insecure_channel(address)
    else:
        channel = grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(authority_pem))
    async with channel:
        check: grpc.aio.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = await check(HealthCheckRequest(), timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
    return answer.status == HealthCheckResponse.SERVING


async def http_answers(url: str, *, authority: Path | None = None) -> bool:
    """Return whether an HTTP server answers the URL with 200.

    Args:
        url: http or https.
        authority: PEM file of the authority to trust, for https.
    """
    return await asyncio.to_thread(_http_answers, url, authority)


def _http_answers(url: str, authority: Path | None) -> bool:
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        trust = ssl.create_default_context(cafile=authority)
        connection = http.client.HTTPSConnection(parts.netloc, timeout=_TIMEOUT_S, context=trust)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

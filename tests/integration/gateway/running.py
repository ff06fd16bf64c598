"""A gateway in this very process over scripted backends, on a real port."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from deploy.local.certificates import Certificates
from flick.clock import SystemClock
from flick.ids import new_id
from flick.v1 import auth_pb2_grpc, query_pb2_grpc
from gateway.__main__ import read_descriptors
from gateway.app import build_app
from gateway.backends import open_backends
from gateway.http.edge import Edge
from gateway.http.origin import OriginPolicy
from gateway.http.server import serve_http
from gateway.live.hub import LiveHub
from gateway.live.limits import LiveLimits
from gateway.metrics import GatewayMetrics
from tests.integration.gateway.scripted import Backends
from tests.waiting import eventually

FRAME_WITHIN_S = 5.0


@dataclass
class Gateway:
    """A running gateway."""

    address: str
    backends: Backends
    registry: CollectorRegistry
    hub: LiveHub
    url: str

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def socket(self, **options: Any) -> connect:
        """Open the live socket; to be entered."""
        return connect(f"ws://{self.address}/api/v1/ws", compression=None, proxy=None, **options)

    @asynccontextmanager
    async def viewer(self, token: str, **options: Any) -> AsyncIterator[ClientConnection]:
        """A socket on which the viewer is known."""
        async with self.socket(subprotocols=["bearer", token], **options) as socket:
            assert "ready" in await receive(socket)
            yield socket


@asynccontextmanager
async def run_gateway(
    backends: Backends,
    *,
    limits: LiveLimits | None = None,
    allowed_origins: tuple[str, ...] = (),
    certificates: Certificates | None = None,
    listen: str = "127.0.0.1:0",
) -> AsyncIterator[Gateway]:
    registry, clock = CollectorRegistry(), SystemClock()
    metrics, origins = GatewayMetrics(registry=registry), OriginPolicy(allowed=allowed_origins)
    addresses = {"auth": backends.auth_address, "query": backends.query_address, "ingest": backends.ingest_address}
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_backends(addresses=addresses, trust_bundle_file=None))
        hub = LiveHub(
            auth=auth_pb2_grpc.AuthServiceStub(opened.by_service["flick.v1.AuthService"]),
            query=query_pb2_grpc.QueryServiceStub(opened.by_service["flick.v1.QueryService"]),
            origins=origins,
            metrics=metrics,
            clock=clock,
            random=random.random,
            limits=limits,
        )
        app = build_app(descriptors=read_descriptors(), backends=opened, live=hub, origins=origins, version="0")
        edge = Edge(
            application=app, origins=origins, metrics=metrics, clock=clock, make_request_id=lambda: str(new_id())
        )

        server = await stack.enter_async_context(
            serve_http(
                application=edge,
                listen=listen,
                tls_cert_file=certificates.certificate_file if certificates else None,
                tls_key_file=certificates.key_file if certificates else None,
                say_goodbye=hub.drain,
                drain=lambda: edge.drain(grace_s=0.2),
                grace_s=5,
            )
        )
        scheme = "https" if certificates else "http"
        yield Gateway(server.address, backends, registry, hub, f"{scheme}://{server.address}")


def subscription(name: str = "a", *servers: str) -> dict[str, Any]:
    return {"subscriptionId": name, "serverIds": list(servers or ("s1",))}


async def send(socket: ClientConnection, **frame: Any) -> None:
    await socket.send(json.dumps(frame))


async def receive(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(FRAME_WITHIN_S):
        frame = json.loads(await socket.recv())
    assert isinstance(frame, dict)
    return frame


async def receive_until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of a kind; others are passed over."""
    while kind not in (frame := await receive(socket)):
        pass
    return frame


async def closed(socket: ClientConnection) -> tuple[int, list[dict[str, Any]]]:
    """The code that the socket is closed with, and the frames before it."""
    frames = []
    async with asyncio.timeout(FRAME_WITHIN_S * 2):
        with suppress(ConnectionClosed):
            while True:
                frames.append(json.loads(await socket.recv()))
    assert socket.close_code is not None
    return socket.close_code, frames


async def watching(gateway: Gateway, calls: int, *, within_s: float = 10) -> None:
    """Wait until query has so many calls."""

    async def count() -> int:
        return len(gateway.backends.query.watchers)

    assert await eventually(count, lambda found: found == calls, within_s=within_s, every_s=0.01) == calls

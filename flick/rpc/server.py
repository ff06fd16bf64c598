"""The server builder: here every gRPC server gets health, reflection, aspects, TLS rules and a graceful stop."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from flick.address import is_local
from flick.errors import FlickError, Kind
from flick.rpc.aspect import Aspect, AspectInterceptor

MAX_MESSAGE_BYTES = 4 * 1024 * 1024  # the contract's limit of a batch
# The gateway passes a head of up to 32 KiB on, the Authorization in it twice: a token that is too long is told so.
MAX_METADATA_BYTES = 64 * 1024
IDLE_S = 120.0  # a connection without any call; whoever is honest connects again in a moment
HANDSHAKE_S = 10.0  # grpc's default of 120 s lets whoever connects and says nothing take all file descriptors
OPTIONS: Sequence[tuple[str, int]] = (
    # Bound the memory of a stream that is not read: measured 32 KiB, 125 with grpc's default of 64 KiB ahead, and 4 to
    # 5 MiB when it may look for more. A message that is waited for comes whole all the same.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16 * 1024),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_S * 1000)),
    ("grpc.max_connection_idle_ms", int(IDLE_S * 1000)),
    # Clients behind NAT ping every 20 s at most; grpc's default of 300 s would send them away.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
"""What every server is told."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A servicer, how it is added to a server, and its descriptor."""

    add: Callable[[grpc.aio.Server], None]
    descriptor: ServiceDescriptor


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """Certificate chain and private key in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, kw_only=True)
class RunningServer:
    """A server that answers. `address` is where, with the port that it really got."""

    address: str
    health: HealthServicer

    async def tell(self, name: str, serving: bool) -> None:
        """Answer who asks the health service for `name`, which may be a part of what is served here."""
        response = health_pb2.HealthCheckResponse
        await self.health.set(name, response.SERVING if serving else response.NOT_SERVING)


@asynccontextmanager
async def serve(
    *,
    listen: str,
    registrations: Sequence[Registration],
    aspects: Sequence[Aspect],
    tls: TlsFiles | None = None,
    drain_s: float = 10.0,
    reuse_port: bool = False,
    linger: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[RunningServer]:
    """Serve while entered; on leaving, tell health first, then give calls `drain_s` seconds to end.

    New calls are taken until `linger` returns, which begins when health is told and is part of those seconds. After
    that gRPC answers CANCELLED to calls that were under way to here.

    Raises FAILED_PRECONDITION when `listen` can be reached from outside this machine and `tls` is not given, and
    UNAVAILABLE when the address is taken.
    """
    server = grpc.aio.server(
        interceptors=[AspectInterceptor(aspects=aspects)],
        options=[*OPTIONS, ("grpc.so_reuseport", int(reuse_port))],
    )
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = [registration.descriptor.full_name for registration in registrations]
    for registration in registrations:
        registration.add(server)
    reflection.enable_server_reflection([*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name], server)
    address = _bind(server, listen=listen, tls=tls)
    await server.start()
    for name in ["", *names]:
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    logger.info("serving", extra={"address": address})
    try:
        yield RunningServer(address=address, health=health)
    finally:
        await asyncio.shield(_stop(server, health, drain_s, linger))


async def _stop(
    server: grpc.aio.Server, health: HealthServicer, drain_s: float, linger: Callable[[], Awaitable[None]] | None
) -> None:
    logger.info("draining")
    ends_s = time.monotonic() + drain_s
    await health.enter_graceful_shutdown()
    if linger is not None:
        await linger()
    await server.stop(max(0.0, ends_s - time.monotonic()))
    logger.info("stopped")


def _bind(server: grpc.aio.Server, *, listen: str, tls: TlsFiles | None) -> str:
    if tls is None and not is_local(listen):
        raise FlickError(
            Kind.FAILED_PRECONDITION,
            f"{listen} can be reached from outside this machine, so it needs TLS: give a certificate and a key.",
        )
    try:
        port = _add_port(server, listen, tls)
    except RuntimeError as error:
        raise FlickError(
            Kind.UNAVAILABLE, f"{listen} can't be listened on; is it in use?", private=str(error)
        ) from error
    return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"


def _add_port(server: grpc.aio.Server, listen: str, tls: TlsFiles | None) -> int:
    if tls is None:
        return server.add_insecure_port(listen)
    pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
    return server.add_secure_port(listen, grpc.ssl_server_credentials([pair]))

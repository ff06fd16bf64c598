"""The services behind the gateway: which service lives where, the channels to them, and whether they answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from flick.rpc.client import open_own_channel

# The contract's services with HTTP rules, and the process that serves each. A service missing here fails the start.
HOMES: Mapping[str, str] = {
    "flick.v1.AuthService": "auth",
    "flick.v1.EnrollmentService": "auth",
    "flick.v1.OrganizationService": "auth",
    "flick.v1.PushService": "ingest",
    "flick.v1.ServerGroupService": "auth",
    "flick.v1.ServerService": "auth",
    "flick.v1.QueryService": "query",
    "flick.v1.StatsService": "query",
}
HEALTH_TIMEOUT_S = 1.5

_SERVING = health_pb2.HealthCheckResponse.SERVING


class Backends:
    """Open channels to the processes behind the gateway."""

    def __init__(self, *, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self._channels = channels

    @property
    def by_service(self) -> Mapping[str, grpc.aio.Channel]:
        """The channel of each service, by the service's full name."""
        return {service: self._channels[home] for service, home in HOMES.items()}

    async def health(self) -> Mapping[str, str]:
        """What each process says of itself: `serving`, `not serving`, or `unreachable`."""
        names = list(self._channels)
        states = await asyncio.gather(*(_ask(self._channels[name]) for name in names))
        return dict(zip(names, states, strict=True))


@asynccontextmanager
async def open_backends(*, addresses: Mapping[str, str], trust_bundle_file: Path | None) -> AsyncIterator[Backends]:
    """Channels to `addresses`, by process name. Raises ConfigError when the authority's file can't be read."""
    async with AsyncExitStack() as stack:
        channels = {}
        for name, address in addresses.items():
            channel = open_own_channel(address, trust_bundle_file=trust_bundle_file)
            channels[name] = await stack.enter_async_context(channel)
        yield Backends(channels=channels)


async def _ask(channel: grpc.aio.Channel) -> str:
    stub: Any = health_pb2_grpc.HealthStub(channel)  # its types don't know the asynchronous form
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_TIMEOUT_S)
    except grpc.aio.AioRpcError:
        return "unreachable"
    return "serving" if answer.status == _SERVING else "not serving"

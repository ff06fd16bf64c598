"""Query in this process over a real TimescaleDB and a real Redis, with an auth that the test scripts; its viewers."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import grpc
import pytest
import redis.asyncio
from prometheus_client import CollectorRegistry

from flick.bus.client import open_bus
from flick.bus.health import BusMetrics
from flick.clock import SystemClock
from flick.errors import FlickError
from flick.ids import new_id
from flick.rpc.client import open_channel
from flick.rpc.status import from_rpc_error
from flick.v1 import query_pb2, query_pb2_grpc
from services.query.__main__ import running
from services.query.config import QueryConfig
from services.query.watch.times import WatchTimes
from tests.integration.query.telemetry import Telemetry
from tests.tiny_auth import Metadata, TinyAuth, make_auth
from tests.waiting import eventually

WatchCall: TypeAlias = "grpc.aio.UnaryStreamCall[query_pb2.WatchMetricsRequest, query_pb2.WatchMetricsResponse]"
SECOND_US = 1_000_000
WITHIN_S = 10.0
QUICK = WatchTimes(sign_of_life_s=0.6, confirm_s=0.2, mark_s=0.3, hasty_mark_s=0.3, poll_s=0.2, patience_s=0.3)


@dataclass(kw_only=True)
class QueryHouse:
    """A running query, its client, and everything that a test may do behind its back."""

    query: "query_pb2_grpc.QueryServiceAsyncStub"
    address: str
    auth: TinyAuth
    auth_serving: AsyncExitStack
    telemetry: Telemetry
    registry: CollectorRegistry
    organization_id: str
    metadata: Metadata

    async def server(self, *, interval_s: int = 5) -> str:
        """A new server of the viewer's organization, once query knows of it."""
        server_id = self.auth.server(organization_id=self.organization_id, interval_s=interval_s)
        await self.knows(server_id, self.metadata)
        return server_id

    async def knows(self, server_id: str, metadata: Metadata) -> None:
        """Wait until query knows that somebody may see a server."""

        async def seen() -> bool:
            answer = await self.query.SummarizeServers(query_pb2.SummarizeServersRequest(), metadata=metadata)
            return server_id in {one.server_id for one in answer.servers}

        assert await eventually(seen, bool, within_s=5, every_s=0.01)

    def count(self, name: str, **labels: str) -> float:
        """The value of one of query's own metrics."""
        return self.registry.get_sample_value(name, labels) or 0.0


def now_us() -> int:
    return time.time_ns() // 1000


async def refusal(call: Awaitable[Any]) -> FlickError:
    """The error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def ending(call: WatchCall, *, within_s: float = 5.0) -> FlickError:
    """The error by which a stream ends in time."""

    async def read_on() -> None:
        while True:
            await call.read()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(read_on(), timeout=within_s)
    return from_rpc_error(caught.value)


@asynccontextmanager
async def query_house(
    *,
    database_url: str,
    owner_url: str,
    redis_url: str,
    query_redis_url: str = "",
    auth: TinyAuth | None = None,
) -> AsyncIterator[QueryHouse]:
    """Query, serving while entered. `query_redis_url` is the way on which query itself reaches Redis."""
    auth, registry, clock = auth or make_auth(), CollectorRegistry(), SystemClock()
    async with AsyncExitStack() as stack:
        auth_serving = await stack.enter_async_context(AsyncExitStack())
        auth_address = await auth_serving.enter_async_context(auth.serving())
        connection = await asyncpg.connect(owner_url)
        stack.push_async_callback(connection.close)
        bus = await stack.enter_async_context(
            open_bus(redis_url, name="test", clock=clock, metrics=BusMetrics(registry=CollectorRegistry()))
        )
        client = redis.asyncio.from_url(redis_url)
        stack.push_async_callback(client.aclose)
        config = QueryConfig(
            database_url=database_url,
            redis_url=query_redis_url or redis_url,
            auth_address=auth_address,
            service_secret="secret",
            listen="127.0.0.1:0",
        )
        server = await stack.enter_async_context(running(config, clock=clock, registry=registry, times=QUICK))
        channel = await stack.enter_async_context(open_channel(server.address))
        organization_id = str(new_id())
        _, metadata = auth.person(organization_id=organization_id)
        yield QueryHouse(
            query=query_pb2_grpc.QueryServiceStub(channel),
            address=server.address,
            auth=auth,
            auth_serving=auth_serving,
            telemetry=Telemetry(connection=connection, bus=bus, redis=client),
            registry=registry,
            organization_id=organization_id,
            metadata=metadata,
        )


class Viewer:
    """A stream that a test reads message by message. Signs of life are passed over unless asked for."""

    def __init__(self, call: WatchCall) -> None:
        self.call = call

    async def read(self) -> query_pb2.WatchMetricsResponse:
        async with asyncio.timeout(WITHIN_S):
            message = await self.call.read()
        assert isinstance(message, query_pb2.WatchMetricsResponse), "the stream goes on"
        return message

    async def value(self) -> tuple[str, float]:
        """The next value: its server, and what the first metric shows."""
        while True:
            message = await self.read()
            if message.server_id:
                return message.server_id, message.values[0].value


@asynccontextmanager
async def watching(
    house: QueryHouse, *server_ids: str, names: tuple[str, ...] = (), metadata: Metadata | None = None
) -> AsyncIterator[Viewer]:
    """A viewer of some servers, once query listens to them."""
    request = query_pb2.WatchMetricsRequest(server_ids=server_ids, names=names)
    viewers = house.count("flick_query_viewers") + 1
    call = house.query.WatchMetrics(request, metadata=metadata or house.metadata)

    async def listens() -> bool:
        heard = [await house.telemetry.watched(one) and await house.telemetry.subscribed(one) for one in server_ids]
        return all(heard) and house.count("flick_query_viewers") >= viewers

    try:
        assert await eventually(listens, bool, within_s=5, every_s=0.01)
        yield Viewer(call)
    finally:
        call.cancel()

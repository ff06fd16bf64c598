"""Calls that fail leave nothing that only the garbage collector would find: it may come seldom."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest

from flick.errors import FlickError, invalid
from flick.v1 import query_pb2, query_pb2_grpc
from tests.integration.rpc.conftest import House
from tests.waiting import until

CALLS = 3


class Held:
    """What a handler has in hand while it runs. `error` is what it ends with, as a stream keeps it until its end."""

    def __init__(self) -> None:
        self.error: FlickError = invalid("names", "holds 51 names.")


class Handlers:
    """Handlers that fail; `held` tells which of the things that they had in hand are still in memory."""

    def __init__(self) -> None:
        self._held: list[weakref.ref[Held]] = []

    @property
    def held(self) -> list[Held]:
        """What is still in memory."""
        return [held for one in self._held if (held := one()) is not None]

    @property
    def ran(self) -> int:
        """How many have run."""
        return len(self._held)

    async def refuse(self, _request: object, _context: object) -> None:
        """Fail by an error that an object of the handler keeps."""
        held = self._hold()
        raise held.error

    async def refuse_for_another(self, _request: object, _context: object) -> None:
        """Fail by an error that comes of another one."""
        held = self._hold()
        try:
            raise KeyError("names")
        except KeyError as error:
            raise held.error from error

    async def hang(self, _request: object, _context: object) -> None:
        """Take too long."""
        held = self._hold()
        await asyncio.Event().wait()
        raise AssertionError(held)

    async def break_off(self, _request: object, _context: object) -> AsyncIterator[query_pb2.WatchMetricsResponse]:
        """Fail in the middle of a stream."""
        held = self._hold()
        yield query_pb2.WatchMetricsResponse()
        raise held.error

    def _hold(self) -> Held:
        held = Held()
        self._held.append(weakref.ref(held))
        return held


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing is collected as garbage meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("way", ["refuse", "refuse_for_another", "hang"])
async def test_a_call_that_fails_is_forgotten(house: House, channel: grpc.aio.Channel, way: str) -> None:
    handlers = Handlers()
    house.servicer.behaviour = getattr(handlers, way)
    stub: Any = query_pb2_grpc.QueryServiceStub(channel)
    request = query_pb2.GetLatestMetricsRequest(server_id=house.server)
    for _ in range(CALLS):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetLatestMetrics(request, metadata=house.metadata())
    await until(lambda: not handlers.held)

    assert handlers.ran == CALLS


@pytest.mark.usefixtures("uncollected")
async def test_a_stream_that_breaks_off_is_forgotten(house: House, channel: grpc.aio.Channel) -> None:
    handlers = Handlers()
    house.servicer.behaviour = handlers.break_off
    stub: Any = query_pb2_grpc.QueryServiceStub(channel)
    request = query_pb2.WatchMetricsRequest(server_ids=[house.server])
    for _ in range(CALLS):
        call = stub.WatchMetrics(request, metadata=house.metadata())
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()
    await until(lambda: not handlers.held)

    assert handlers.ran == CALLS

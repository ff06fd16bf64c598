"""A viewer's stream, read message by message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flick.v1 import query_pb2
from tests.integration.query.auth import Metadata
from tests.integration.query.house import QueryHouse, WatchCall
from tests.waiting import eventually

WITHIN_S = 10.0


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

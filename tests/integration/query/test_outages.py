"""What is left of query when Redis, PostgreSQL or auth is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from flick.errors import Kind
from flick.v1 import catalog_pb2, query_pb2
from tests.databases import DatabaseServer
from tests.integration.query.house import SECOND_US, QueryHouse, ending, now_us, query_house, refusal, watching
from tests.integration.query.telemetry import sample
from tests.network.wire import Wire, wired
from tests.tiny_auth import TinyAuth, make_auth
from tests.waiting import eventually

CPU = catalog_pb2.METRIC_CPU_UTILIZATION
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION


@dataclass(frozen=True, kw_only=True)
class Town:
    """Where houses are built, and the ways that lead to them."""

    database_url: str
    owner_url: str
    redis_url: str

    def house(
        self, *, database_url: str = "", query_redis_url: str = "", auth: TinyAuth | None = None
    ) -> AbstractAsyncContextManager[QueryHouse]:
        return query_house(
            database_url=database_url or self.database_url,
            owner_url=self.owner_url,
            redis_url=self.redis_url,
            query_redis_url=query_redis_url,
            auth=auth,
        )

    @asynccontextmanager
    async def house_behind_redis(self) -> AsyncIterator[tuple[QueryHouse, Wire]]:
        """A house, and its wire to Redis."""
        async with wired(self.redis_url) as (url, wire), self.house(query_redis_url=url) as house:
            yield house, wire

    @asynccontextmanager
    async def house_behind_database(self) -> AsyncIterator[tuple[QueryHouse, Wire]]:
        """A house, and its wire to PostgreSQL."""
        async with wired(self.database_url) as (url, wire), self.house(database_url=url) as house:
            yield house, wire


@pytest.fixture
def town(postgres: DatabaseServer, telemetry_database: str, redis_url: str) -> Town:
    return Town(
        database_url=postgres.url(database=telemetry_database, role="flick_query"),
        owner_url=postgres.url(database=telemetry_database),
        redis_url=redis_url,
    )


async def _latest(house: QueryHouse, server_id: str) -> list[float]:
    request = query_pb2.GetLatestMetricsRequest(server_id=server_id)
    return [one.value for one in (await house.query.GetLatestMetrics(request, metadata=house.metadata)).values]


async def test_without_redis_the_stream_goes_on_from_storage_and_returns_to_live(town: Town) -> None:
    async with town.house_behind_redis() as (house, wire):
        server_id = await house.server(interval_s=1)
        begin_us = now_us()
        async with watching(house, server_id) as viewer:
            await house.telemetry.publish(server_id, sample(begin_us, {CPU: 1.0}))
            live = await viewer.value()
            wire.cut()
            stored = []
            for number in (2, 3):
                await house.telemetry.store(server_id, [sample(begin_us + number * SECOND_US, {CPU: float(number)})])
                stored.append(await viewer.value())
            wire.mend()
            reading = asyncio.ensure_future(viewer.value())

            async def heard() -> bool:
                await house.telemetry.publish(server_id, sample(now_us() + 60 * SECOND_US, {CPU: 9.0}))
                return reading.done()

            await eventually(heard, bool, within_s=10, every_s=0.1)

    assert live == (server_id, 1.0)
    assert stored == [(server_id, 2.0), (server_id, 3.0)]
    assert reading.result() == (server_id, 9.0)


async def test_without_redis_the_newest_values_come_silently_from_storage(town: Town) -> None:
    async with town.house_behind_redis() as (house, wire):
        server_id = await house.server()
        await house.telemetry.announce(server_id, sample(now_us(), {CPU: 0.1}))
        await house.telemetry.store(server_id, [sample(now_us(), {CPU: 0.2})])
        wire.cut()

        assert await _latest(house, server_id) == [0.2]
        assert house.count("flick_query_redis_failures_total", operation="latest") > 0


async def test_without_the_database_what_is_live_goes_on_and_the_rest_is_unavailable(town: Town) -> None:
    async with town.house_behind_database() as (house, wire):
        server_id = await house.server()
        layout_id = await house.telemetry.layout(server_id, (CORE, ["0"]))
        await house.telemetry.announce(server_id, sample(now_us(), {CPU: 0.1}, layout_id=layout_id, labelled=[0.25]))
        before = await _latest(house, server_id)
        async with watching(house, server_id) as viewer:
            await viewer.read()
            wire.cut()
            await house.telemetry.publish(server_id, sample(now_us(), {CPU: 0.2}, layout_id=layout_id, labelled=[0.5]))
            live = await viewer.read()
            newest = await _latest(house, server_id)
            request = query_pb2.QueryMetricsRequest(server_id=server_id, names=["system.uptime"])
            refused = await refusal(house.query.QueryMetrics(request, metadata=house.metadata))
            wire.mend()
            back = await house.query.QueryMetrics(request, metadata=house.metadata)

    assert before == newest == [0.1, 0.25]
    assert [one.value for one in live.values] == [0.2, 0.5]
    assert refused.kind is Kind.UNAVAILABLE
    assert back.HasField("start_time")


async def test_while_auth_is_away_nobody_is_served_and_streams_end(town: Town) -> None:
    async with town.house() as house:
        server_id = await house.server()
        async with watching(house, server_id) as viewer:
            await house.auth_serving.aclose()
            ended = await ending(viewer.call, within_s=15)
        refused = await refusal(_latest(house, server_id))

    assert ended.kind is Kind.UNAVAILABLE
    assert refused.kind is Kind.UNAVAILABLE


async def test_without_a_fresh_copy_of_the_grants_auth_is_asked_and_a_loss_ends_the_stream(town: Town) -> None:
    auth = make_auth()
    auth.mute()
    async with town.house(auth=auth) as house:
        server_id = await house.server()
        user_id, metadata = auth.person(organization_id=house.organization_id)
        async with watching(house, server_id, metadata=metadata) as viewer:
            await house.telemetry.publish(server_id, sample(now_us(), {CPU: 0.5}))
            value = await viewer.value()
            auth.expel(user_id, house.organization_id)
            ended = await ending(viewer.call)

    assert value == (server_id, 0.5)
    assert (ended.kind, ended.reason) == (Kind.UNAUTHENTICATED, "ACCESS_LOST")
    assert auth.look_ups > 0

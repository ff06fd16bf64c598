"""Watching live: from Redis, from storage while Redis is away, until the viewer may see no more."""

import asyncio
import time

import grpc

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import catalog_pb2, query_pb2
from tests.integration.query.house import QUICK, QueryHouse, Viewer, WatchCall, ending, now_us, refusal, watching
from tests.integration.query.telemetry import sample
from tests.waiting import eventually

CPU = catalog_pb2.METRIC_CPU_UTILIZATION
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
WITHIN_S = 10.0


async def _reason(viewer: Viewer) -> tuple[Kind, str]:
    error = await ending(viewer.call)
    return error.kind, error.reason


async def test_the_newest_values_come_first_and_then_what_is_published(house: QueryHouse) -> None:
    server_id, time_us = await house.server(), now_us()
    await house.telemetry.announce(server_id, sample(time_us, {CPU: 0.1}))
    async with watching(house, server_id) as viewer:
        first = await viewer.read()
        await house.telemetry.publish(server_id, sample(time_us + 1, {CPU: 0.2}))
        second = await viewer.read()

    assert (first.server_id, first.time.ToMicroseconds(), first.values[0].value) == (server_id, time_us, 0.1)
    assert (second.time.ToMicroseconds(), second.values[0].value) == (time_us + 1, 0.2)


async def test_a_sample_that_is_not_newer_is_not_shown_again(house: QueryHouse) -> None:
    server_id, time_us = await house.server(), now_us()
    await house.telemetry.announce(server_id, sample(time_us, {CPU: 0.1}))
    async with watching(house, server_id) as viewer:
        await viewer.read()
        for late_us in (0, -1, 5):
            await house.telemetry.publish(server_id, sample(time_us + late_us, {CPU: 0.5 + late_us}))

        assert await viewer.value() == (server_id, 5.5)


async def test_labelled_values_are_shown_by_the_layout_they_name(house: QueryHouse) -> None:
    server_id = await house.server()
    layout_id = await house.telemetry.layout(server_id, (CORE, ["0"]), (CORE, ["1"]))
    async with watching(house, server_id, names=("system.cpu.core.utilization",)) as viewer:
        await house.telemetry.publish(
            server_id, sample(now_us(), {CPU: 0.1}, layout_id=layout_id, labelled=[0.25, 0.75])
        )
        message = await viewer.read()

    assert [(dict(one.labels), one.value) for one in message.values] == [
        ({"cpu.logical_number": "0"}, 0.25),
        ({"cpu.logical_number": "1"}, 0.75),
    ]


async def test_viewers_share_a_subscription_and_each_sees_its_own_servers(house: QueryHouse) -> None:
    one, other = await house.server(), await house.server()
    time_us = now_us()
    async with watching(house, one, other) as both, watching(house, one) as single:
        assert house.count("flick_query_watched_servers") == 2
        await house.telemetry.publish(other, sample(time_us, {CPU: 0.2}))
        await house.telemetry.publish(one, sample(time_us, {CPU: 0.1}))

        assert [await both.value(), await both.value()] == [(other, 0.2), (one, 0.1)]
        assert await single.value() == (one, 0.1)


async def test_a_server_is_marked_as_watched_for_as_long_as_somebody_watches(house: QueryHouse) -> None:
    server_id = await house.server()
    async with watching(house, server_id):
        pass

    async def feeds() -> float:
        return house.count("flick_query_watched_servers") + house.count("flick_query_viewers")

    assert await eventually(feeds, lambda count: count == 0, within_s=5, every_s=0.05) == 0


async def test_a_viewer_learns_that_it_is_let_in_before_there_is_a_value(house: QueryHouse) -> None:
    request = query_pb2.WatchMetricsRequest(server_ids=[await house.server()])
    call = house.query.WatchMetrics(request, metadata=house.metadata)
    await call.wait_for_connection()
    let_in_at_s = time.monotonic()
    await call.read()
    call.cancel()

    assert time.monotonic() - let_in_at_s > QUICK.sign_of_life_s / 2


async def test_a_sign_of_life_comes_when_there_is_no_value(house: QueryHouse) -> None:
    server_id = await house.server()
    async with watching(house, server_id) as viewer:
        messages = [await viewer.read() for _ in range(2)]

    assert messages == [query_pb2.WatchMetricsResponse()] * 2


async def test_samples_that_are_stored_but_not_published_are_shown_too(house: QueryHouse) -> None:
    server_id = await house.server(interval_s=1)
    async with watching(house, server_id) as viewer:
        await house.telemetry.store(server_id, [sample(now_us(), {CPU: 0.75})])

        assert await viewer.value() == (server_id, 0.75)


async def test_a_slow_viewer_gets_the_newest_and_harms_nobody(house: QueryHouse) -> None:
    servers = [await house.server() for _ in range(2)]
    layout_id = await house.telemetry.layout(servers[0], *((CORE, [str(number)]) for number in range(500)))
    before = house.count("flick_query_live_coalesced_total")
    async with watching(house, *servers) as slow, watching(house, *servers) as quick:
        last, time_us = 0, now_us()

        async def flood() -> float:
            nonlocal last
            for _ in range(50):
                last += 1
                for server_id in servers:
                    one = sample(time_us + last, {CPU: float(last)}, layout_id=layout_id, labelled=[1.0] * 500)
                    await house.telemetry.publish(server_id, one)
                    assert await quick.value() == (server_id, float(last))
            return house.count("flick_query_live_coalesced_total") - before

        coalesced = await eventually(flood, lambda count: count > 0, within_s=60, every_s=0)
        received: dict[str, list[float]] = {one: [] for one in servers}
        while any(last not in values for values in received.values()):
            server_id, value = await slow.value()
            received[server_id].append(value)

    assert coalesced > 0
    for values in received.values():
        assert values == sorted(values)
        assert len(values) < last


async def test_a_viewer_whose_token_expires_is_sent_away(house: QueryHouse) -> None:
    server_id = await house.server()
    user_id, _ = house.auth.person(organization_id=house.organization_id)
    metadata = house.auth.metadata(user_id, lifetime_s=2)
    await house.knows(server_id, metadata)
    async with watching(house, server_id, metadata=metadata) as viewer:
        assert await _reason(viewer) == (Kind.UNAUTHENTICATED, "TOKEN_EXPIRED")


async def test_a_viewer_that_loses_its_organization_is_sent_away(house: QueryHouse) -> None:
    server_id = await house.server()
    user_id, metadata = house.auth.person(organization_id=house.organization_id)
    await house.knows(server_id, metadata)
    async with watching(house, server_id, metadata=metadata) as expelled, watching(house, server_id) as other:
        house.auth.expel(user_id, house.organization_id)

        assert await _reason(expelled) == (Kind.UNAUTHENTICATED, "ACCESS_LOST")
        await house.telemetry.publish(server_id, sample(now_us(), {CPU: 0.5}))
        assert await other.value() == (server_id, 0.5)


async def test_a_viewer_of_a_server_that_is_deleted_is_sent_away(house: QueryHouse) -> None:
    kept, deleted = await house.server(), await house.server()
    async with watching(house, kept, deleted) as viewer:
        house.auth.delete(deleted)

        assert await _reason(viewer) == (Kind.UNAUTHENTICATED, "ACCESS_LOST")


async def test_one_server_that_may_not_be_seen_refuses_the_whole_call(house: QueryHouse) -> None:
    mine, foreign = await house.server(), house.auth.server(organization_id=str(new_id()))
    request = query_pb2.WatchMetricsRequest(server_ids=[mine, foreign])
    error = await refusal(house.query.WatchMetrics(request, metadata=house.metadata).read())

    assert error.kind is Kind.NOT_FOUND


async def test_at_most_a_hundred_servers_are_watched_in_one_call(house: QueryHouse) -> None:
    server_ids = [house.auth.server(organization_id=house.organization_id) for _ in range(101)]
    await house.knows(server_ids[-1], house.metadata)
    request = query_pb2.WatchMetricsRequest(server_ids=server_ids)
    error = await refusal(house.query.WatchMetrics(request, metadata=house.metadata).read())

    assert error.kind is Kind.INVALID_ARGUMENT
    assert "at most 100" in error.public


async def test_one_user_can_not_use_up_all_streams(house: QueryHouse) -> None:
    server_id = await house.server()
    _, metadata = house.auth.person(organization_id=house.organization_id)
    await house.knows(server_id, metadata)
    request = query_pb2.WatchMetricsRequest(server_ids=[server_id])
    calls = [house.query.WatchMetrics(request, metadata=metadata) for _ in range(100)]
    try:
        await asyncio.gather(*(call.wait_for_connection() for call in calls))
        error = await ending(house.query.WatchMetrics(request, metadata=metadata))
        calls[0].cancel()

        async def let_in() -> bool:
            calls.append(house.query.WatchMetrics(request, metadata=metadata))
            return await _is_open(calls[-1])

        let_in_again = await eventually(let_in, bool, every_s=0.05)
        async with watching(house, server_id):
            pass
    finally:
        for call in calls:
            call.cancel()

    assert (error.kind, error.reason, error.retry_after_s) == (Kind.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", 10)
    assert let_in_again


async def _is_open(call: WatchCall) -> bool:
    try:
        return isinstance(await asyncio.wait_for(call.read(), timeout=5), query_pb2.WatchMetricsResponse)
    except grpc.aio.AioRpcError:
        return False

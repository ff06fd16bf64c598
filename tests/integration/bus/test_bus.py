"""The bus against a real Redis, and against none."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import redis.asyncio
from prometheus_client import CollectorRegistry

from flick.bus.client import Bus, open_bus
from flick.bus.health import BusMetrics
from flick.bus.subscription import Subscription
from flick.clock import SystemClock
from flick.v1 import telemetry_pb2
from tests.waiting import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def bus(redis_url: str) -> AsyncIterator[Bus]:
    metrics = BusMetrics(registry=CollectorRegistry())
    async with open_bus(redis_url, name="test", clock=SystemClock(), metrics=metrics) as opened:
        yield opened


def _name() -> str:
    return f"test:{secrets.token_hex(8)}"


def _sample(time_unix_nano: int, *core: float) -> bytes:
    return telemetry_pb2.Sample(time_unix_nano=time_unix_nano, core=core).SerializeToString()


async def test_what_is_published_arrives_at_the_subscribers_of_its_channel(bus: Bus) -> None:
    channel, other = _name(), _name()
    received: list[tuple[str, bytes]] = []
    async with bus.subscription(lambda *message: received.append(message)) as subscription:
        subscription.add(channel)
        await _live(subscription)
        await bus.publish([(other, b"no"), (channel, b"\x00one"), (channel, b"two")])
        await _holds(lambda: len(received) == 2)

    assert received == [(channel, b"\x00one"), (channel, b"two")]


async def test_channels_come_and_go_while_subscribed(bus: Bus) -> None:
    first, second = _name(), _name()
    received: list[bytes] = []
    async with bus.subscription(lambda _channel, payload: received.append(payload)) as subscription:
        subscription.add(first)
        await _live(subscription)
        subscription.add(second)
        subscription.remove(first)
        await _live(subscription)
        await bus.publish([(first, b"gone"), (second, b"here")])
        await _holds(lambda: bool(received))

    assert received == [b"here"]


async def test_a_subscription_outlives_the_loss_of_its_connection(bus: Bus, redis_url: str) -> None:
    channel = _name()
    received: list[bytes] = []
    async with bus.subscription(lambda _channel, payload: received.append(payload)) as subscription:
        subscription.add(channel)
        await _live(subscription)
        await _kill_subscribers(redis_url)

        async def heard() -> bool:
            await bus.publish([(channel, b"again")])
            return bool(received)

        assert await eventually(heard, bool, within_s=10, every_s=0.1)


async def test_a_subscription_ends_at_once_whenever_that_is(bus: Bus) -> None:
    async with asyncio.timeout(20):
        for number in range(60):
            async with bus.subscription(lambda *_: None) as subscription:
                subscription.add(_name())
                await asyncio.sleep(number / 60 * 0.005)


async def test_a_put_key_says_how_long_it_stays(bus: Bus) -> None:
    key = _name()
    await bus.put([key], b"1", expire_s=15)
    remaining, missing = await bus.remaining_s([key, _name()]) or ()

    assert remaining == pytest.approx(15, abs=2)
    assert missing == 0


async def test_only_newer_values_replace_what_is_there(bus: Bus) -> None:
    key = _name()
    newest = 1_900_000_000_000_000_001
    await bus.keep_newest(key, {"a": _sample(newest, 1), "b": _sample(5, 1)})
    await bus.keep_newest(key, {"a": _sample(newest - 1, 2), "b": _sample(1 << 33, 2), "c": _sample(1, 2)})
    await bus.keep_newest(key, {"a": _sample(newest, 3)})
    values = await bus.get_fields(key, ["a", "b", "c", "d"])

    assert values == [_sample(newest, 1), _sample(1 << 33, 2), _sample(1, 2), None]


async def test_without_redis_calls_fail_softly_at_once_and_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = BusMetrics(registry=registry)
    async with open_bus("redis://127.0.0.1:1/0", name="test", clock=SystemClock(), metrics=metrics) as bus:
        async with asyncio.timeout(5):
            answers = [
                await bus.publish([("a", b"")]),
                await bus.put(["a"], b"", expire_s=1),
                await bus.remaining_s(["a"]),
                await bus.get_fields("a", ["b"]),
                await bus.keep_newest("a", {"b": _sample(1)}),
            ]

    assert (answers, bus.up) == ([False, False, None, None, False], False)
    assert registry.get_sample_value("flick_bus_failures_total", {"operation": "publish"}) == 1
    assert registry.get_sample_value("flick_bus_up") == 0


async def test_the_loss_of_redis_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics = BusMetrics(registry=CollectorRegistry())
    async with open_bus("redis://127.0.0.1:1/0", name="test", clock=SystemClock(), metrics=metrics) as bus:
        for _ in range(5):
            await bus.publish([("a", b"")])
    told = [record.message for record in caplog.records if record.name == "flick.bus.health"]

    assert told == ["redis does not answer"]


async def _live(subscription: Subscription) -> None:
    await _holds(lambda: subscription.live)


async def _holds(condition: Callable[[], bool]) -> None:
    async def ask() -> bool:
        return condition()

    assert await eventually(ask, bool, within_s=10, every_s=0.01)


async def _kill_subscribers(redis_url: str) -> None:
    client = redis.asyncio.Redis.from_url(redis_url)
    try:
        await client.client_kill_filter(_type="pubsub")
    finally:
        await client.aclose()

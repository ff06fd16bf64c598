"""The client: what services send to Redis and ask of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar, cast

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from flick.bus.facts import BusFacts
from flick.bus.health import CALL_TIMEOUT_S, FAILURES, BusMetrics, Health
from flick.bus.subscription import Subscription
from flick.clock import Clock
from flick.lifecycle import background

CONNECT_TIMEOUT_S = 1.0
MAX_CONNECTIONS = 16  # of one client; who finds them all taken waits, as long as for an answer

# Keeps, in a hash, the value with the greatest order: 8 bytes, little-endian, behind the value's first byte.
_KEEP_NEWEST = """
local kept = 0
for index = 1, #ARGV, 2 do
    local old = redis.call('HGET', KEYS[1], ARGV[index])
    local newer = true
    if old and #old >= 9 then
        local old_low, old_high = struct.unpack('<I4I4', old, 2)
        local low, high = struct.unpack('<I4I4', ARGV[index + 1], 2)
        newer = high > old_high or (high == old_high and low > old_low)
    end
    if newer then
        redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1])
        kept = kept + 1
    end
end
return kept
"""

T = TypeVar("T")


class Bus:
    """A client of one Redis. Made by `open_bus`."""

    def __init__(self, *, client: "redis.asyncio.Redis", clock: Clock, metrics: BusMetrics) -> None:
        self._client = client
        self._clock = clock
        self._health = Health(clock=clock, metrics=metrics)
        self._keep_newest = client.register_script(_KEEP_NEWEST)

    @property
    def up(self) -> bool:
        """Whether Redis answered when it was last asked."""
        return self._health.up

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> bool:
        """Send each payload to its channel, all in one round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for channel, payload in messages:
            pipeline.publish(channel, payload)
        return await self._try("publish", pipeline.execute) is not None

    async def put(self, keys: Iterable[str], value: bytes, *, expire_s: float) -> bool:
        """Set keys that go away by themselves after `expire_s` seconds, all in one round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.set(key, value, px=int(expire_s * 1000))
        return await self._try("put", pipeline.execute) is not None

    async def remaining_s(self, keys: Sequence[str]) -> Sequence[float] | None:
        """For how many seconds each key will still be there, 0 when it is not, in one round trip; None when Redis does
        not answer.
        """
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.pttl(key)
        remaining_ms = await self._try("remaining", pipeline.execute)
        return None if remaining_ms is None else [max(0, one) / 1000 for one in remaining_ms]

    async def get_fields(self, key: str, fields: Sequence[str]) -> Sequence[bytes | None] | None:
        """The values of a hash's fields, None for one that is not there; None when Redis does not answer."""
        if not fields:
            return []
        values = await self._try("get_fields", lambda: self._client.hmget(key, list(fields)))
        return cast("Sequence[bytes | None] | None", values)  # the client decodes nothing

    async def keep_newest(self, key: str, values: Mapping[str, bytes]) -> bool:
        """Set a hash's fields, except where the value that is there is newer or the same.

        How new a value is, is told by its bytes 1 to 8, little-endian; so begins a serialized `flick.v1.Sample`.
        """
        arguments = [part for pair in values.items() for part in pair]
        return await self._try("keep_newest", lambda: self._keep_newest(keys=[key], args=arguments)) is not None

    async def facts(self) -> BusFacts | None:
        """How Redis does; None when it does not answer, or may not be asked."""
        began_s = self._clock.monotonic_s()
        if await self._try("ping", self._client.ping) is None:
            return None
        ping_s = self._clock.monotonic_s() - began_s
        info = await self._try("info", self._client.info)
        return None if info is None else BusFacts.read(info, ping_s=ping_s)

    @asynccontextmanager
    async def subscription(self, receive: Callable[[str, bytes], None]) -> AsyncIterator[Subscription]:
        """Hand what is published on the channels that are added to `receive(channel, payload)` while entered.

        `receive` must not block: nothing waits in between, so nothing can pile up here.
        """
        subscription = Subscription(
            connect=self._client.pubsub, health=self._health, receive=receive, clock=self._clock
        )
        async with background(subscription.run(), name="bus-subscription"):
            yield subscription

    async def _try(self, operation: str, call: Callable[[], Awaitable[T]]) -> T | None:
        if not self._health.may_try(operation):
            return None
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                answer = await call()
        except ResponseError as error:
            self._health.refused(operation, error)
            return None
        except FAILURES as error:
            self._health.failed(operation, error)
            return None
        self._health.succeeded(operation)
        return answer


@asynccontextmanager
async def open_bus(url: str, *, name: str, clock: Clock, metrics: BusMetrics) -> AsyncIterator[Bus]:
    """A client of the Redis at `url` while entered, known to it as `name`. It connects when first asked."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=CALL_TIMEOUT_S,
        client_name=name,
        socket_timeout=CALL_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    client = redis.asyncio.Redis.from_pool(pool)
    try:
        yield Bus(client=client, clock=clock, metrics=metrics)
    finally:
        with suppress(*FAILURES):
            await client.aclose()

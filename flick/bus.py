"""Redis as FLick uses it: disposable. Every call has an end, and a failing Redis costs news, never an error.

A call answers None or False when Redis failed. That is counted, and logged once when Redis goes and once when it is
back; in between calls fail at once instead of waiting. What must not get lost does not go this way.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar, cast

import redis.asyncio
from prometheus_client import CollectorRegistry, Counter, Gauge
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from flick.clock import Clock

CALL_TIMEOUT_S = 1.0
CONNECT_TIMEOUT_S = 1.0
RETRY_AFTER_S = 1.0  # while Redis is away one call a second tries it
PING_AFTER_S = 5.0  # a subscription that hears nothing for so long asks whether Redis still lives
SILENT_AFTER_S = 10.0

_FAILURES = (RedisError, OSError, TimeoutError)

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
logger = logging.getLogger(__name__)


class BusMetrics:
    """How Redis does."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        self.failures = Counter(
            "flick_bus_failures", "Calls of Redis that failed or were not tried.", ["operation"], registry=registry
        )
        self.up = Gauge(
            "flick_bus_up", "1 while Redis answers, else 0.", registry=registry, multiprocess_mode="livemin"
        )


class Bus:
    """A client of one Redis. Made by `open_bus`."""

    def __init__(self, *, client: "redis.asyncio.Redis", clock: Clock, metrics: BusMetrics) -> None:
        self._client = client
        self._clock = clock
        self._metrics = metrics
        self._keep_newest = client.register_script(_KEEP_NEWEST)
        self._try_again_at_s = 0.0
        self._up = True
        metrics.up.set(1)

    @property
    def up(self) -> bool:
        """Whether Redis answered when it was last asked."""
        return self._up

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

    async def remaining_s(self, key: str) -> float | None:
        """For how many seconds the key will still be there; 0 when it is not, None when Redis does not answer."""
        remaining_ms = await self._try("remaining", lambda: self._client.pttl(key))
        return None if remaining_ms is None else max(0, remaining_ms) / 1000

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

    @asynccontextmanager
    async def subscription(self, receive: Callable[[str, bytes], None]) -> AsyncIterator["Subscription"]:
        """Hand what is published on the channels that are added to `receive(channel, payload)` while entered.

        `receive` must not block: nothing waits in between, so nothing can pile up here.
        """
        subscription = Subscription(bus=self, receive=receive, clock=self._clock)
        task = asyncio.create_task(subscription.run(), name="bus-subscription")
        try:
            yield subscription
        finally:
            while not task.done():  # before Python 3.12 asyncio.wait_for, which redis uses, may lose a cancellation
                task.cancel()
                await asyncio.wait({task}, timeout=0.1)

    def pubsub(self) -> PubSub:
        """A connection for a `Subscription`."""
        return self._client.pubsub()

    def note_failure(self, operation: str, error: BaseException) -> None:
        """Count a failure; the first one after a success is logged."""
        self._metrics.failures.labels(operation).inc()
        self._metrics.up.set(0)
        if self._up:
            logger.warning("redis does not answer", extra={"operation": operation, "why": repr(error)})
        self._up = False
        self._try_again_at_s = self._clock.monotonic_s() + RETRY_AFTER_S

    def note_success(self) -> None:
        """The first success after a failure is logged."""
        self._metrics.up.set(1)
        if not self._up:
            logger.info("redis answers again")
        self._up = True

    async def _try(self, operation: str, call: Callable[[], Awaitable[T]]) -> T | None:
        if not self._up:
            if self._clock.monotonic_s() < self._try_again_at_s:
                self._metrics.failures.labels(operation).inc()
                return None
            self._try_again_at_s = self._clock.monotonic_s() + RETRY_AFTER_S  # this one tries, the others don't wait
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                answer = await call()
        except _FAILURES as error:
            self.note_failure(operation, error)
            return None
        self.note_success()
        return answer


class Subscription:
    """A changing set of channels, kept subscribed over losses of the connection. What is missed meanwhile is lost."""

    def __init__(self, *, bus: Bus, receive: Callable[[str, bytes], None], clock: Clock) -> None:
        self._bus = bus
        self._receive = receive
        self._clock = clock
        self._wanted: set[str] = set()
        self._confirmed: set[str] = set()
        self._changed = asyncio.Event()

    def add(self, channel: str) -> None:
        """Subscribe, soon."""
        self._wanted.add(channel)
        self._changed.set()

    def remove(self, channel: str) -> None:
        """Unsubscribe, soon."""
        self._wanted.discard(channel)
        self._changed.set()

    @property
    def live(self) -> bool:
        """Whether Redis has confirmed every channel that was added."""
        return self._wanted <= self._confirmed

    async def run(self) -> None:
        """Stay subscribed until cancelled."""
        while True:
            try:
                await self._follow()
            except _FAILURES as error:
                self._bus.note_failure("subscribe", error)
            self._confirmed.clear()
            await self._clock.sleep(RETRY_AFTER_S * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, hides nothing

    async def _follow(self) -> None:
        pubsub = self._bus.pubsub()
        sent: set[str] = set()
        reading: asyncio.Task[None] | None = None
        try:
            while True:
                await self._send_changes(pubsub, sent)
                if sent and reading is None:
                    reading = asyncio.create_task(self._read(pubsub), name="bus-reading")
                await self._wait_for_change(reading)
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            with suppress(*_FAILURES):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _send_changes(self, pubsub: PubSub, sent: set[str]) -> None:
        self._changed.clear()
        added, removed = self._wanted - sent, sent - self._wanted
        async with asyncio.timeout(CALL_TIMEOUT_S):
            if added:
                await pubsub.subscribe(*added)
            if removed:
                await pubsub.unsubscribe(*removed)
        sent |= added
        sent -= removed
        self._confirmed -= removed

    async def _wait_for_change(self, reading: "asyncio.Task[None] | None") -> None:
        """Return when other channels are wanted; raise when reading has failed."""
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({changed, reading} if reading else {changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        if reading is not None and reading.done():
            reading.result()

    async def _read(self, pubsub: PubSub) -> None:
        heard_at_s = self._clock.monotonic_s()
        while self._clock.monotonic_s() - heard_at_s < SILENT_AFTER_S:
            message = await pubsub.get_message(timeout=PING_AFTER_S)
            if message is None:
                await pubsub.ping()
                continue
            heard_at_s = self._clock.monotonic_s()
            if message["type"] == "message":
                self._receive(message["channel"].decode(), message["data"])
            elif message["type"] == "subscribe":
                self._confirm(message["channel"].decode())
        raise TimeoutError(f"nothing was heard for {SILENT_AFTER_S:g} s")

    def _confirm(self, channel: str) -> None:
        self._bus.note_success()
        if channel in self._wanted:
            self._confirmed.add(channel)


@asynccontextmanager
async def open_bus(url: str, *, name: str, clock: Clock, metrics: BusMetrics) -> AsyncIterator[Bus]:
    """A client of the Redis at `url` while entered, known to it as `name`. It connects when first asked."""
    client = redis.asyncio.Redis.from_url(
        url,
        client_name=name,
        socket_timeout=CALL_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield Bus(client=client, clock=clock, metrics=metrics)
    finally:
        with suppress(*_FAILURES):
            await client.aclose()

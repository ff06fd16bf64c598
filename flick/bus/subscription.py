"""What services hear from Redis."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from redis.asyncio.client import PubSub

from flick.bus.health import CALL_TIMEOUT_S, FAILURES, RETRY_AFTER_S, Health
from flick.clock import Clock

PING_AFTER_S = 5.0  # a subscription that hears nothing for so long asks whether Redis still lives
SILENT_AFTER_S = 10.0


class Subscription:
    """A changing set of channels, kept subscribed over losses of the connection. What is missed meanwhile is lost."""

    def __init__(
        self, *, connect: Callable[[], PubSub], health: Health, receive: Callable[[str, bytes], None], clock: Clock
    ) -> None:
        self._connect = connect
        self._health = health
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
            except FAILURES as error:
                self._health.failed("subscribe", error)
            self._confirmed.clear()
            await self._clock.sleep(RETRY_AFTER_S * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, hides nothing

    async def _follow(self) -> None:
        pubsub = self._connect()
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
            with suppress(*FAILURES):
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
        self._health.succeeded("subscribe")
        if channel in self._wanted:
            self._confirmed.add(channel)

"""Which servers somebody watches: told by query through Redis, forgotten when it falls silent."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from flick.bus.client import Bus
from flick.bus.live import WATCH_EXPIRES_S, WATCHED_CHANNEL, decode_server_ids, watched_key
from flick.clock import Clock
from flick.lifecycle import background

LOOK_EVERY_S = 1.0

Tell = Callable[[bool], None]


class Watched:
    """The watched servers, and the streams that want to know."""

    def __init__(self, *, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._until_s: dict[str, float] = {}
        self._listeners: dict[str, set[Tell]] = defaultdict(set)
        self._asked: set[str] = set()
        self._asking = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Watched"]:
        """Hear of watched servers while entered."""
        async with self._bus.subscription(self._receive) as subscription:
            subscription.add(WATCHED_CHANNEL)
            async with (
                background(self._expire(), name="watch-expiry"),
                background(self._look_up_on(), name="watch-look-up"),
            ):
                yield self

    def is_watched(self, server_id: str) -> bool:
        """Whether somebody watches the server."""
        return server_id in self._until_s

    def look_up(self, server_id: str) -> None:
        """Have Redis asked whether the server is watched: who has just started has missed the news."""
        self._asked.add(server_id)
        self._asking.set()

    @contextmanager
    def listen(self, server_id: str, tell: Tell) -> Iterator[None]:
        """Call `tell` whenever watching the server begins or ends, while entered."""
        self._listeners[server_id].add(tell)
        try:
            yield
        finally:
            self._listeners[server_id].discard(tell)
            if not self._listeners[server_id]:
                del self._listeners[server_id]

    def _receive(self, _channel: str, payload: bytes) -> None:
        for server_id in decode_server_ids(payload):
            self._mark(server_id, WATCH_EXPIRES_S)

    def _mark(self, server_id: str, remaining_s: float) -> None:
        is_new = server_id not in self._until_s
        until_s = self._clock.monotonic_s() + remaining_s
        self._until_s[server_id] = max(until_s, self._until_s.get(server_id, until_s))
        if is_new:
            self._tell(server_id, True)

    def _tell(self, server_id: str, watched: bool) -> None:
        for tell in tuple(self._listeners.get(server_id, ())):
            tell(watched)

    async def _look_up_on(self) -> None:
        """Ask for all streams that opened meanwhile in one round trip: thousands may come back at once."""
        while True:
            await self._asking.wait()
            self._asking.clear()
            server_ids, self._asked = list(self._asked), set()
            remaining = await self._bus.remaining_s([watched_key(server_id) for server_id in server_ids])
            for server_id, remaining_s in zip(server_ids, remaining or [], strict=False):
                if remaining_s:
                    self._mark(server_id, remaining_s)

    async def _expire(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            now_s = self._clock.monotonic_s()
            for server_id in [one for one, until_s in self._until_s.items() if until_s <= now_s]:
                del self._until_s[server_id]
                self._tell(server_id, False)

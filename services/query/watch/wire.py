"""Redis as watching needs it: which servers are watched goes out, their samples come in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
from google.protobuf.message import DecodeError

from flick.bus.client import Bus
from flick.bus.live import (
    WATCH_EXPIRES_S,
    WATCHED_CHANNEL,
    encode_server_ids,
    samples_channel,
    server_of_channel,
    watched_key,
)
from flick.bus.subscription import Subscription
from flick.errors import FlickError
from flick.lifecycle import background
from flick.v1 import telemetry_pb2
from services.query.custom.pushed import pushed_id
from services.query.layouts import Layouts
from services.query.metrics import QueryMetrics
from services.query.rules.measured import Measured, from_sample

Heard = Callable[[str, Measured, bool], None]
"""Takes a server's sample, and whether it was pushed."""


class Wire:
    """One subscription for all watched servers of this process.

    Args:
        bus: Redis.
        layouts: what the samples' layout ids mean.
        metrics: told what can't be read.
    """

    def __init__(self, *, bus: Bus, layouts: Layouts, metrics: QueryMetrics) -> None:
        self._bus = bus
        self._layouts = layouts
        self._metrics = metrics
        self._subscription: Subscription | None = None
        self._heard: Heard | None = None
        self._pushed: dict[str, str] = {}  # the servers, by the ids under which pushes to them are told
        self._unexplained: dict[str, telemetry_pb2.Sample] = {}  # the newest sample of each source with a new layout
        self._news = asyncio.Event()

    @asynccontextmanager
    async def hearing(self, heard: Heard) -> AsyncIterator[None]:
        """Hand the samples of the servers that are added to `heard` while entered."""
        self._heard = heard
        async with (
            background(self._explain(), name="wire-explain"),
            self._bus.subscription(self._receive) as self._subscription,
        ):
            yield

    def add(self, server_id: str) -> None:
        """Listen to a server."""
        assert self._subscription is not None, "add is called within hearing"
        self._subscription.add(samples_channel(server_id))
        source = pushed_id(server_id)
        if source:
            self._pushed[source] = server_id
            self._subscription.add(samples_channel(source))

    def remove(self, server_id: str) -> None:
        """Listen to a server no more."""
        assert self._subscription is not None, "remove is called within hearing"
        self._subscription.remove(samples_channel(server_id))
        source = pushed_id(server_id)
        if source:
            del self._pushed[source]
            self._subscription.remove(samples_channel(source))

    async def mark(self, server_ids: Sequence[str]) -> bool:
        """Tell ingest that somebody watches these servers; good for `WATCH_EXPIRES_S` seconds. False: Redis is away."""
        kept = await self._bus.put(map(watched_key, server_ids), b"1", expire_s=WATCH_EXPIRES_S)
        told = await self._bus.publish([(WATCHED_CHANNEL, encode_server_ids(server_ids))])
        if not (kept and told):
            self._metrics.redis_failures.labels("mark").inc()
        return told

    def _receive(self, channel: str, payload: bytes) -> None:
        source = server_of_channel(channel)
        try:
            sample = telemetry_pb2.Sample.FromString(payload)
        except DecodeError:
            self._metrics.malformed.labels("live").inc()
            return
        layout = self._layouts.known(sample.layout_id) if sample.layout_id else ()
        if layout is None:
            self._unexplained[source] = sample
            self._news.set()
        else:
            self._hand_on(source, from_sample(sample, layout))

    async def _explain(self) -> None:
        """Fetch layouts that were not known and hand on the samples that need them; a layout is met once."""
        while True:
            await self._news.wait()
            self._news.clear()
            waiting, self._unexplained = self._unexplained, {}
            try:
                layouts = await self._layouts.get({sample.layout_id for sample in waiting.values()})
            except (FlickError, asyncpg.PostgresError):  # the next sample asks again
                continue
            for source, sample in waiting.items():
                self._hand_on(source, from_sample(sample, layouts.get(sample.layout_id, ())))

    def _hand_on(self, source: str, measured: Measured) -> None:
        if self._heard is not None:
            self._heard(self._pushed.get(source, source), measured, source in self._pushed)

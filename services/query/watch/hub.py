"""The live feeds of this process, one per watched server: from Redis, or from PostgreSQL while Redis brings nothing."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg

from flick.clock import Clock
from flick.errors import FlickError, Kind
from flick.lifecycle import background
from services.query.access import Access
from services.query.answers.latest import RECENT_US
from services.query.metrics import QueryMetrics
from services.query.rules.measured import Measured
from services.query.store import Store
from services.query.watch.backlog import Backlog
from services.query.watch.feed import Feed
from services.query.watch.times import WatchTimes
from services.query.watch.wire import Wire

MAX_VIEWERS = 2_000  # with 256 waiting updates each, shared between viewers, some tens of MB at the worst
MAX_VIEWERS_OF_USER = 100  # so that nobody uses them up alone
RETRY_AFTER_S = 10.0

logger = logging.getLogger(__name__)


class Hub:
    """Every feed and every viewer.

    Args:
        wire: Redis, as far as live samples go.
        store: where newest samples are looked for that did not come by the wire.
        access: tells how often a server sends.
        clock: tells how long nothing came.
        metrics: told of viewers, feeds and samples.
        times: how often things happen.
    """

    def __init__(
        self, *, wire: Wire, store: Store, access: Access, clock: Clock, metrics: QueryMetrics, times: WatchTimes
    ) -> None:
        self._wire = wire
        self._store = store
        self._access = access
        self._clock = clock
        self._metrics = metrics
        self._times = times
        self._feeds: dict[str, Feed] = {}
        self._viewers: set[Backlog] = set()
        self._users: Counter[str] = Counter()
        self._new = asyncio.Event()
        self._closed = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Hub"]:
        """Keep the feeds alive while entered; on leaving every viewer is told to watch elsewhere."""
        async with (
            self._wire.hearing(self._heard),
            background(self._mark(), name="hub-mark"),
            background(self._poll(), name="hub-poll"),
        ):
            try:
                yield self
            finally:
                self.close()

    def close(self) -> None:
        """End every viewer's stream; there will be no new ones."""
        self._closed = True
        for viewer in self._viewers:
            viewer.close()

    @contextmanager
    def watching(self, server_ids: Sequence[str], *, user_id: str) -> Iterator[Backlog]:
        """What comes from some servers while entered. Raises RESOURCE_EXHAUSTED when too many streams are open."""
        if len(self._viewers) >= MAX_VIEWERS:
            raise _too_many("Too many streams are open here. Try again later.")
        if self._users[user_id] >= MAX_VIEWERS_OF_USER:
            raise _too_many(
                f"You have {MAX_VIEWERS_OF_USER} streams open here. End some, or watch several servers in one."
            )
        viewer = Backlog(on_coalesced=self._metrics.coalesced.inc)
        if self._closed:
            viewer.close()
        self._viewers.add(viewer)
        self._users[user_id] += 1
        for server_id in server_ids:
            self._join(server_id, viewer)
        self._count()
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)
            self._users[user_id] -= 1
            for server_id in server_ids:
                self._leave(server_id, viewer)
            self._count()

    def _join(self, server_id: str, viewer: Backlog) -> None:
        feed = self._feeds.get(server_id)
        if feed is None:
            feed = self._feeds[server_id] = Feed(server_id=server_id, now_s=self._clock.monotonic_s())
            self._wire.add(server_id)
            self._new.set()
        feed.add(viewer)

    def _leave(self, server_id: str, viewer: Backlog) -> None:
        if self._feeds[server_id].remove(viewer):
            del self._feeds[server_id]
            self._wire.remove(server_id)

    def _count(self) -> None:
        self._users = +self._users  # without those who have left
        self._metrics.viewers.set(len(self._viewers))
        self._metrics.feeds.set(len(self._feeds))

    async def _mark(self) -> None:
        """Tell ingest which servers are watched, so that their agents send every second.

        After Redis was away it is told more often for a while: ingest may hear again a little later than it is told.
        """
        hasty_until_s = 0.0
        while True:
            self._new.clear()
            if self._feeds and not await self._wire.mark(list(self._feeds)):
                hasty_until_s = self._clock.monotonic_s() + self._times.mark_s
            hasty = self._clock.monotonic_s() < hasty_until_s
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._new.wait(), timeout=self._times.hasty_mark_s if hasty else self._times.mark_s
                )

    async def _poll(self) -> None:
        """Look into storage for samples that did not come by the wire."""
        while True:
            await self._clock.sleep(self._times.poll_s)
            try:
                await self._look()
            except (FlickError, asyncpg.PostgresError) as error:
                logger.warning("newest samples can't be read", extra={"why": repr(error)})

    async def _look(self) -> None:
        if not self._feeds:
            return
        now_s = self._clock.monotonic_s()
        intervals = await self._access.intervals_us(list(self._feeds))
        due = [
            self._feeds[server_id]
            for server_id, interval_us in intervals.items()
            if server_id in self._feeds  # it may have gone meanwhile
            and self._feeds[server_id].due(now_s=now_s, interval_s=interval_us / 1e6, times=self._times)
        ]
        if not due:
            return
        after_us = self._clock.time_unix_nano() // 1000 - RECENT_US
        samples = await self._store.newest_samples([feed.server_id for feed in due], after_us)
        for feed in due:
            feed.looked_at_s, feed.live = now_s, False
            if feed.server_id in samples:
                self._take(feed, samples[feed.server_id], live=False)

    def _heard(self, server_id: str, measured: Measured, pushed: bool) -> None:
        feed = self._feeds.get(server_id)
        if feed is None:
            return
        if pushed:
            feed.deliver_pushed(measured)
            self._metrics.updates.labels("redis").inc()
        else:
            self._take(feed, measured, live=True)

    def _take(self, feed: Feed, measured: Measured, *, live: bool) -> None:
        if feed.deliver(measured, now_s=self._clock.monotonic_s()):
            feed.live = live
            self._metrics.updates.labels("redis" if live else "postgresql").inc()


def _too_many(public: str) -> FlickError:
    return FlickError(Kind.RESOURCE_EXHAUSTED, public, reason="TOO_MANY_STREAMS", retry_after_s=RETRY_AFTER_S)

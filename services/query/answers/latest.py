"""The newest samples: from Redis where it has them, from PostgreSQL where it has not or what it has may be outdated."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from flick.clock import Clock
from services.query.access import Access
from services.query.answers.cache import LatestCache
from services.query.metrics import QueryMetrics
from services.query.rules.fleet import LATE_AFTER_INTERVALS
from services.query.rules.measured import Measured
from services.query.store import Store

_DAY_US = 86_400_000_000
RECENT_US = 2 * _DAY_US  # a look at a few chunks, which answers for every server that still sends
LOOK_BACK_US = 400 * _DAY_US  # a server that was silent for longer counts as never seen

T = TypeVar("T")
Read = Callable[[Sequence[str], int], Awaitable[Mapping[str, T]]]


class Latest:
    """The newest samples of servers. The cache is believed while a server sends in time.

    Args:
        cache: what ingest left in Redis.
        store: the same in PostgreSQL.
        access: tells how often a server sends.
        clock: tells how old a sample is.
        metrics: told where samples came from.
    """

    def __init__(
        self, *, cache: LatestCache, store: Store, access: Access, clock: Clock, metrics: QueryMetrics
    ) -> None:
        self._cache = cache
        self._store = store
        self._access = access
        self._clock = clock
        self._metrics = metrics

    async def newest(self, server_ids: Sequence[str]) -> Mapping[str, Measured]:
        """The newest sample of each server that has one."""
        cached = await self._cache.samples(server_ids)
        return await self._complete(server_ids, cached, self._store.newest_samples, lambda sample: sample.time_us)

    async def newest_times(self, server_ids: Sequence[str]) -> Mapping[str, int]:
        """When the newest sample of each server that has one was measured, in microseconds."""
        cached = await self._cache.times_us(server_ids)
        return await self._complete(server_ids, cached, self._store.newest_times, lambda time_us: time_us)

    async def _complete(
        self, server_ids: Sequence[str], cached: Mapping[str, T], read: Read[T], time_us: Callable[[T], int]
    ) -> Mapping[str, T]:
        """What is cached, where it may be outdated or is missing completed from storage."""
        found = dict(cached)
        now_us = self._clock.time_unix_nano() // 1000
        intervals = await self._access.intervals_us(server_ids)
        doubtful = [
            one
            for one in server_ids
            if one not in found or now_us - time_us(found[one]) > LATE_AFTER_INTERVALS * intervals[one]
        ]
        self._metrics.latest_reads.labels("redis").inc(len(server_ids) - len(doubtful))
        self._metrics.latest_reads.labels("postgresql").inc(len(doubtful))
        if doubtful:
            for server_id, stored in (await read(doubtful, now_us - RECENT_US)).items():
                if server_id not in found or time_us(stored) > time_us(found[server_id]):
                    found[server_id] = stored
        missing = [one for one in doubtful if one not in found]
        if missing:
            found.update(await read(missing, now_us - LOOK_BACK_US))
        return found

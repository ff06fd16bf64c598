"""Reads where a server has no samples, and what its agent told of that."""

import asyncio

from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.moments import bounds
from services.query.reading.samples import Samples
from services.query.reading.snapshot import snapshot
from services.query.reading.worker import aside_if_long
from services.query.rules.fleet import LATE_AFTER_INTERVALS
from services.query.rules.gaps import MAX_GAPS, MAX_KEPT, Gap, Holes, find_holes, join_gaps, longest
from services.query.rules.levels import Level
from services.query.rules.plan import Span


class Gaps:
    """Spans without samples. Raises as `flick.db.pool` says.

    Args:
        pool: connections as role flick_query.
        samples: how they are read, wherever they lie.
    """

    def __init__(self, *, pool: Pool, samples: Samples) -> None:
        self._pool = pool
        self._samples = samples
        self._queries = load_queries(QUERIES)

    async def read(
        self, server_id: str, span: Span, *, level: Level | None, interval_us: int, now_us: int
    ) -> tuple[list[Gap], bool]:
        """The longest gaps of a span in the order of time, none after `now_us`; and whether some were left out.

        With a level, holes are whole buckets of it: then it is not necessary to read the times of all samples.
        """
        span = Span(start_us=span.start_us, end_us=min(span.end_us, now_us))
        if span.length_us <= 0:
            return [], False
        # A hole that only begins or ends in the span is seen whole.
        margin_us = (LATE_AFTER_INTERVALS + 1) * max(interval_us, level.bucket_us if level else 0)
        around = Span(start_us=max(0, span.start_us - margin_us), end_us=min(span.end_us + margin_us, now_us))
        async with snapshot(self._pool) as connection:
            if level is None:
                found, left_out = await self._holes(connection, server_id, around, interval_us)
            else:
                times_us = await self._samples.bucket_times_us(connection, server_id, level, around)
                found, left_out = find_holes(times_us, level.bucket_us, span=around, interval_us=interval_us)
            begins = bool(found) and found[0].start_us <= around.start_us
            if begins and not await self._samples.any_before(connection, server_id, around.start_us):
                found.pop(0)  # before a server's first sample none is missing
            told = await connection.fetch(self._queries["told_gaps"], server_id, *bounds(span), MAX_KEPT)
        pairs = len(found) * len(told)  # each hole is held against each gap that is told
        joined = await aside_if_long(
            pairs, join_gaps, found, [Gap(*row) for row in told], span=span, interval_us=interval_us
        )
        return longest(joined), left_out or len(told) == MAX_KEPT or len(joined) > MAX_GAPS

    async def _holes(
        self, connection: Connection, server_id: str, span: Span, interval_us: int
    ) -> tuple[list[Span], bool]:
        holes = Holes(span=span, interval_us=interval_us)
        async for times_us in self._samples.times_us(connection, server_id, span):
            await asyncio.to_thread(holes.add, times_us)
        return holes.end(), holes.left_out

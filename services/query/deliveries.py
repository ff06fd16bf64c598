"""Reads the delivery ledger, which ingest keeps in the schema `telemetry`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flick.db.pool import Connection, Pool, Row
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.moments import bounds
from services.query.reading.ranks import at_share
from services.query.reading.samples import Samples
from services.query.reading.snapshot import snapshot
from services.query.rules.plan import Span

GONE_AFTER = timedelta(minutes=3)  # the contract: a stream of which nothing is heard for so long is not connected


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How many samples are stored, and of their lags, in microseconds: the median, the 99th of 100, the most."""

    count: int
    p50_us: int = 0
    p99_us: int = 0
    max_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is known of one server's delivery; rows as `queries.sql` names their columns."""

    delivered: Delivered
    outcomes: Sequence[Row]
    gaps: Sequence[Row]
    stream: Row | None
    events: Sequence[Row]


class Deliveries:
    """The ledger in PostgreSQL. Raises as `flick.db.pool` says.

    Args:
        pool: connections as role flick_query.
        samples: how they are read, wherever they lie.
    """

    def __init__(self, *, pool: Pool, samples: Samples) -> None:
        self._pool = pool
        self._samples = samples
        self._queries = load_queries(QUERIES)

    async def read(self, server_id: str, span: Span, *, limit: int) -> Ledger:
        """Everything of a server in a span, as it was at one moment; of gaps and events the newest `limit`."""
        async with snapshot(self._pool) as connection:
            return Ledger(
                delivered=await self._delivered(connection, server_id, span),
                outcomes=await connection.fetch(self._queries["outcomes"], server_id, *bounds(span)),
                gaps=await connection.fetch(self._queries["gaps"], server_id, *bounds(span), limit),
                stream=await connection.fetchrow(self._queries["stream"], server_id, GONE_AFTER),
                events=await connection.fetch(self._queries["events"], server_id, *bounds(span), limit),
            )

    async def _delivered(self, connection: Connection, server_id: str, span: Span) -> Delivered:
        parts = await self._samples.lags_us(connection, server_id, span)
        count = sum(map(len, parts))
        if not count:
            return Delivered(count=0)
        p50_us, p99_us, max_us = await asyncio.to_thread(lambda: [at_share(parts, share) for share in (0.5, 0.99, 1)])
        return Delivered(count=count, p50_us=p50_us, p99_us=p99_us, max_us=max_us)

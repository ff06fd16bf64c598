"""Reads the delivery ledger, which ingest keeps in the schema `telemetry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flick.db.pool import Pool, Row
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.rules.plan import Span
from services.query.store import from_us

GONE_AFTER = timedelta(minutes=3)  # the contract: a stream of which nothing is heard for so long is not connected


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is written of one server's delivery: rows as `queries.sql` names their columns."""

    delivered: Row
    outcomes: Sequence[Row]
    gaps: Sequence[Row]
    stream: Row | None
    events: Sequence[Row]


class Deliveries:
    """The ledger in PostgreSQL. Raises as `flick.db.pool` says.

    Args:
        pool: connections as role flick_query.
    """

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool
        self._queries = load_queries(QUERIES)

    async def read(self, server_id: str, span: Span, *, limit: int) -> Ledger:
        """Everything of a server in a span, as it was at one moment; of gaps and events the newest `limit`."""
        bounds = from_us(span.start_us), from_us(span.end_us)
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            delivered = await connection.fetchrow(self._queries["delivered"], server_id, *bounds)
            assert delivered is not None  # an aggregate always has a row
            return Ledger(
                delivered=delivered,
                outcomes=await connection.fetch(self._queries["outcomes"], server_id, *bounds),
                gaps=await connection.fetch(self._queries["gaps"], server_id, *bounds, limit),
                stream=await connection.fetchrow(self._queries["stream"], server_id, GONE_AFTER),
                events=await connection.fetch(self._queries["events"], server_id, *bounds, limit),
            )

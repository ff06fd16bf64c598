"""Counts what became of samples, in the transaction of their commit, so that the counts are as durable as the rows."""

from pathlib import Path

from flick.db.pool import Connection
from flick.db.queries import load_queries
from flick.v1 import delivery_pb2
from services.ingest.ledger.outcomes import Outcomes

_OVERFLOW = "Parts of samples exceed a limit and are left out; the agent's log names the first of them."


class Counts:
    """`telemetry.deliveries`, as the transaction of a commit writes it."""

    def __init__(self) -> None:
        self._add = load_queries(Path(__file__).with_name("queries.sql"))["add_outcomes"]

    async def add(self, connection: Connection, outcomes: Outcomes) -> None:
        """Count `outcomes` in the transaction that `connection` is in; call it last. Raises asyncpg's errors."""
        counted = [(key, count) for key, count in outcomes.items() if count]
        if counted:
            await connection.execute(
                self._add,
                [key.server_id for key, _ in counted],
                [key.organization_id for key, _ in counted],
                [key.outcome.value for key, _ in counted],
                [key.reason for key, _ in counted],
                [count for _, count in counted],
                delivery_pb2.DELIVERY_EVENT_KIND_OVERFLOW,
                _OVERFLOW,
            )

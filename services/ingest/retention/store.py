"""What retention reads and takes away in PostgreSQL, on the connection of whoever asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flick.db.pool import Connection
from flick.db.queries import load_queries
from services.ingest.retention.lifetimes import Expiries

BLOCKS_AT_ONCE = 500  # of some 100 KB each: deleting them takes well below a second


@dataclass(frozen=True, slots=True)
class Expired:
    """What went: how many blocks, and whether their chunk went with them."""

    dropped: bool
    blocks: int


class RetentionStore:
    """Retention's SQL. Every method raises asyncpg's errors.

    Args:
        at_once: how many blocks are deleted in one statement.
    """

    def __init__(self, *, at_once: int = BLOCKS_AT_ONCE) -> None:
        self.at_once = at_once
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))

    async def chunks(self, connection: Connection, table: str, *, before: datetime) -> Sequence[datetime]:
        """The beginnings of a table's chunks that begin before a moment, the oldest first."""
        return [row["range_start"] for row in await connection.fetch(self._queries["find_chunks"], table, before)]

    async def expire(self, connection: Connection, table: str, chunk: datetime, expiries: Expiries) -> Expired:
        """Take away what is over in a chunk: all of it, or `at_once` blocks at most.

        Raises LockNotAvailableError when all of it is over and somebody reads it.
        """
        asked = (table, chunk, list(expiries), list(expiries.values()), self.at_once)
        row = await connection.fetchrow(self._queries["expire"], *asked)
        assert row is not None
        return Expired(row["dropped"], row["blocks"])

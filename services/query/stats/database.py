"""Reads what PostgreSQL knows of the agents, and of its own size."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flick.db.pool import Connection, Pool, Row
from flick.db.queries import load_queries
from services.query.deliveries import GONE_AFTER
from services.query.stats.forecast import Piece

STATEMENT_TIMEOUT_MS = 3000  # some milliseconds are usual; who asks waits, and it is asked again in a moment
LAGS_OF = 500  # agents: an index look-up each
SPOOLS_OF = 20_000  # agents, some 100 bytes each
SERVERS_OF = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRows:
    """What the ledger knows of agents; rows as `queries.sql` names their columns."""

    counts: Row
    versions: Sequence[Row]
    lags: Row
    spools: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseRows:
    """What PostgreSQL knows of the installation but its size."""

    versions: Row
    schemas: Sequence[Row]
    ingest_streams: Sequence[Row]
    unsealed: Row
    server_ids: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRows:
    """How large the database is.

    Attributes:
        total_bytes: the whole.
        tables: FLick's tables.
        pieces: chunks of the tables that were asked for, by table.
        first_s: the hour of the first sealed sample, in seconds since the Unix epoch; None: nothing is sealed.
    """

    total_bytes: int
    tables: Sequence[Row]
    pieces: dict[str, list[Piece]]
    first_s: float | None


class DatabaseReader:
    """PostgreSQL as FLick uses it. Raises as `flick.db.pool` says.

    Args:
        pool: connections as role flick_query.
    """

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))

    async def agents(self, organization_ids: Sequence[str] | None) -> AgentRows:
        """The agents of some organizations; None: of all."""
        async with self._asking() as connection:
            counts = await connection.fetchrow(self._queries["agents"], organization_ids, GONE_AFTER)
            lags = await connection.fetchrow(self._queries["lags"], organization_ids, GONE_AFTER, LAGS_OF)
            assert counts is not None
            assert lags is not None
            return AgentRows(
                counts=counts,
                versions=await connection.fetch(self._queries["agent_versions"], organization_ids, GONE_AFTER),
                lags=lags,
                spools=await connection.fetch(self._queries["spools"], organization_ids, GONE_AFTER, SPOOLS_OF),
            )

    async def house(self) -> HouseRows:
        """The installation."""
        async with self._asking() as connection:
            versions = await connection.fetchrow(self._queries["versions"])
            unsealed = await connection.fetchrow(self._queries["unsealed"])
            assert versions is not None
            assert unsealed is not None
            return HouseRows(
                versions=versions,
                schemas=await connection.fetch(self._queries["schemas"]),
                ingest_streams=await connection.fetch(self._queries["ingest_streams"], GONE_AFTER),
                unsealed=unsealed,
                server_ids=[
                    str(row["server_id"]) for row in await connection.fetch(self._queries["recent_servers"], SERVERS_OF)
                ],
            )

    async def size(self, tables: Sequence[str]) -> SizeRows:
        """How large the database is, with the chunks of some tables."""
        async with self._asking() as connection:
            pieces: dict[str, list[Piece]] = {name: [] for name in tables}
            for row in await connection.fetch(self._queries["chunks"], tables):
                pieces[row["table_name"]].append(Piece(row["start_s"], row["end_s"], row["size_bytes"]))
            return SizeRows(
                total_bytes=await connection.fetchval(self._queries["size"]),
                tables=await connection.fetch(self._queries["tables"]),
                pieces=pieces,
                first_s=await self._first_s(connection, pieces),
            )

    async def _first_s(self, connection: Connection, pieces: dict[str, list[Piece]]) -> float | None:
        """When the first sealed hour began. Only the oldest chunk is looked at."""
        ends_s = [piece.end_s for piece in pieces.get("sealed_metrics", ())]
        if not ends_s:
            return None
        end = datetime.fromtimestamp(min(ends_s), tz=UTC)
        found: float | None = await connection.fetchval(self._queries["first_hour"], end)
        return found

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(f"set local statement_timeout = {STATEMENT_TIMEOUT_MS}")
            yield connection


def free_bytes(directory: Path) -> tuple[int, int]:
    """Size and free space of the file system that a folder lies on, in bytes. Raises OSError when it can't be asked."""
    usage = shutil.disk_usage(directory)
    return usage.total, usage.free

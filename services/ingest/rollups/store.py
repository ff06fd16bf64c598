"""What rollups are in PostgreSQL, on the connection and within the transaction of whoever asks."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flick.db.pool import Connection, Row
from flick.db.queries import load_queries
from services.ingest.rollups.blocks import RollupBlock
from services.ingest.rollups.levels import Level
from services.ingest.sealing.blocks import SamplesBlock

HOURS_AT_ONCE = 7 * 24  # of a server, in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Hours of a server that are to be rolled up, the oldest first."""

    server_id: uuid.UUID
    hours: tuple[datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """How many hours wait to be rolled up, and the oldest of them."""

    count: int
    oldest: datetime | None


class RollupStore:
    """The roller's SQL. Every method raises asyncpg's errors."""

    def __init__(self) -> None:
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))

    async def samples(self, connection: Connection, server_id: uuid.UUID, hour: datetime) -> Sequence[SamplesBlock]:
        """The sealed samples of a server's hour."""
        return [SamplesBlock(**row) for row in await connection.fetch(self._queries["find_samples"], server_id, hour)]

    async def blocks(
        self, connection: Connection, level: Level, server_id: uuid.UUID, span_start: datetime
    ) -> Sequence[RollupBlock]:
        """The blocks of a server's span, one of each layout."""
        found = await connection.fetch(self._of(level, "find_blocks"), server_id, span_start)
        return [RollupBlock(**row) for row in found]

    async def write(
        self,
        connection: Connection,
        level: Level,
        server_id: uuid.UUID,
        span_start: datetime,
        blocks: Sequence[RollupBlock],
    ) -> None:
        """Write blocks of a server's span, each in the place of the one of its layout."""
        for one in blocks:
            await connection.execute(
                self._of(level, "write_block"),
                *(server_id, span_start, one.organization_id, one.layout_id, one.count, one.first_time, one.last_time),
                *(one.times, one.weights, one.weight_places, one.core, one.labelled),
            )

    async def expiries(self, connection: Connection) -> Mapping[uuid.UUID, datetime]:
        """From before which moment samples of a server are gone, so that its rollups must stay as they are."""
        return {row["server_id"]: row["before"] for row in await connection.fetch(self._queries["list_expiries"])}

    async def note_hour(
        self, connection: Connection, server_id: uuid.UUID, hour: datetime, *, has_minutes: bool
    ) -> None:
        """An hour is to be taken into hours and days; `has_minutes`: its minutes are as they should be."""
        await connection.execute(self._queries["note_hour"], server_id, hour, has_minutes)

    async def without_minutes(self, connection: Connection, *, limit: int) -> Sequence[Due]:
        """Single hours whose minutes are to be made."""
        return _due(await connection.fetch(self._queries["find_without_minutes"], limit))

    async def outside_of_days(self, connection: Connection, *, before: datetime, limit: int) -> Sequence[Due]:
        """Hours from before a moment that hours and days do not show, each server's together."""
        return _due(await connection.fetch(self._queries["find_outside_of_days"], before, limit, HOURS_AT_ONCE))

    async def forget(self, connection: Connection, server_id: uuid.UUID, hours: Sequence[datetime]) -> None:
        """Nothing is due of these hours any more."""
        await connection.execute(self._queries["forget_hours"], server_id, hours)

    async def postpone(self, connection: Connection, due: Due) -> None:
        """These come behind everything else that is due."""
        await connection.execute(self._queries["postpone"], due.server_id, due.hours)

    async def behind(self, connection: Connection, *, before: datetime) -> Behind:
        """What waits although it is from before a moment, or has no minutes."""
        row = await connection.fetchrow(self._queries["find_behind"], before)
        assert row is not None
        return Behind(count=row["count"], oldest=row["oldest"])

    def _of(self, level: Level, query: str) -> str:
        return self._queries[query].replace("/*table*/", level.table)


def _due(rows: Iterable[Row]) -> Sequence[Due]:
    return [Due(server_id=row["server_id"], hours=tuple(row["hours"])) for row in rows]

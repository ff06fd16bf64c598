"""What the sealer reads and writes in PostgreSQL, on the connection and within the transaction of whoever asks."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flick.db.pool import Connection
from flick.db.queries import load_queries
from services.ingest.intake.samples import CORE_COLUMNS
from services.ingest.sealing.blocks import SamplesBlock, SnapshotsBlock
from services.ingest.sealing.known import Known
from services.ingest.sealing.rows import Rows, read_samples, read_snapshots
from services.ingest.sealing.span import Span

MAX_SAMPLES = 4_000  # of a span: an hour of one every second; 66 MB where each has as many values as are allowed
MAX_BYTES = 16 * 1024 * 1024  # of a span's snapshots: about twelve hours of a server as most are
MAX_HOURS = 10_000  # found in one chunk at once, the rest later: 3 MB

_Found = list[tuple[uuid.UUID, datetime]]


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """The chunks of one span: from `start` until before `end`, of which tables."""

    start: datetime
    end: datetime
    tables: Sequence[str]


class SealStore:
    """The sealer's SQL. Every method raises asyncpg's errors.

    Args:
        max_samples: how many samples a span may have.
        max_bytes: how large its snapshots may be.
    """

    def __init__(self, *, max_samples: int = MAX_SAMPLES, max_bytes: int = MAX_BYTES) -> None:
        self._max_samples = max_samples
        self._max_bytes = max_bytes
        core = ", ".join(f"coalesce({name}, 'NaN')" for name in CORE_COLUMNS)
        queries = load_queries(Path(__file__).with_name("queries.sql"))
        self._queries = {
            name: sql.replace("/*core*/", core).replace("/*columns*/", ", ".join(CORE_COLUMNS))
            for name, sql in queries.items()
        }

    async def chunks(self, connection: Connection, *, before: datetime) -> Sequence[Chunks]:
        """The chunks of samples and snapshots that begin before a moment, the oldest first."""
        rows = await connection.fetch(self._queries["find_chunks"], before)
        return [Chunks(start=row["range_start"], end=row["range_end"], tables=row["tables"]) for row in rows]

    async def quiet(self, connection: Connection, start: datetime, end: datetime, *, since: datetime) -> _Found:
        """Servers and their hours of which samples are there and none has come since a moment."""
        rows = await connection.fetch(self._queries["find_quiet_samples"], start, end, since, MAX_HOURS)
        return [(row["server_id"], row["hour"]) for row in rows]

    async def has_samples(self, connection: Connection, start: datetime, end: datetime) -> bool:
        """Whether any sample of a span is there."""
        return bool(await connection.fetchval(self._queries["has_samples"], start, end))

    async def lone_snapshots(self, connection: Connection, start: datetime, end: datetime) -> _Found:
        """Servers and their hours of which snapshots are there; to be asked when no samples are."""
        rows = await connection.fetch(self._queries["find_snapshots"], start, end, MAX_HOURS)
        return [(row["server_id"], row["hour"]) for row in rows]

    async def read(self, connection: Connection, span: Span) -> Rows | None:
        """The rows of a span; None when there are too many. Raises ValueError when they can't be read."""
        asked = (span.server_id, span.start, span.end, self._max_samples + 1)
        samples = await connection.fetchrow(self._queries["read_samples"], *asked)
        assert samples is not None
        if samples["count"] > self._max_samples:
            return None
        snapshots = await self._copy_snapshots(connection, span)
        if snapshots is None:
            return None
        return Rows(read_samples(samples["records"] or b""), read_snapshots(snapshots))

    async def known(self, connection: Connection, span: Span) -> Known:
        """The blocks that touch a span."""
        if not await connection.fetchval(self._queries["has_blocks"], span.server_id, span.hour):
            return Known()
        asked = (span.server_id, span.hour, span.start, span.end)
        samples = await connection.fetch(self._queries["find_sample_blocks"], *asked)
        snapshots = await connection.fetch(self._queries["find_snapshot_blocks"], *asked)
        return Known(
            samples=[SamplesBlock(**row) for row in samples], snapshots=[SnapshotsBlock(**row) for row in snapshots]
        )

    async def add(
        self,
        connection: Connection,
        span: Span,
        *,
        samples: Sequence[SamplesBlock],
        snapshots: Sequence[SnapshotsBlock],
    ) -> None:
        """Write blocks."""
        for block in samples:
            await connection.execute(
                self._queries["add_sample_block"],
                *(span.server_id, span.hour, block.organization_id, block.layout_id, block.count),
                *(block.first_time, block.last_time, block.times, block.lags, block.core, block.labelled),
            )
        for one in snapshots:
            await connection.execute(
                self._queries["add_snapshot_block"],
                *(span.server_id, span.hour, one.organization_id, one.count),
                *(one.first_time, one.last_time, one.times, one.snapshots),
            )

    async def remove(self, connection: Connection, span: Span) -> tuple[int, int]:
        """Take a span's rows away; how many samples and snapshots those were."""
        row = await connection.fetchrow(self._queries["remove_rows"], span.server_id, span.hour, span.start, span.end)
        assert row is not None
        return row["samples"], row["snapshots"]

    async def drop_empty_chunk(self, connection: Connection, table: str, start: datetime) -> bool:
        """Give a chunk back, if it is empty. Raises LockNotAvailableError while somebody reads or writes it."""
        return bool(await connection.fetchval(self._queries["drop_empty_chunk"], table, start))

    async def _copy_snapshots(self, connection: Connection, span: Span) -> bytes | None:
        query = self._queries["copy_snapshots"].replace("/*server_id*/", str(span.server_id))
        query = query.replace("/*start*/", span.start.isoformat()).replace("/*end*/", span.end.isoformat())
        copied = bytearray()
        size = 0

        async def keep(piece: bytes) -> None:
            nonlocal size
            size += len(piece)
            if size <= self._max_bytes:  # the rest is taken from the connection, and let go
                copied.extend(piece)

        await connection.copy_from_query(query, output=keep, format="binary")
        return bytes(copied) if size <= self._max_bytes else None

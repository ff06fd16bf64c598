"""What the sealer reads and writes in PostgreSQL, on the connection and within the transaction of whoever asks."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flick.db.pool import Connection, Row
from flick.db.queries import load_queries
from services.ingest.rollups.blocks import to_datetime
from services.ingest.sealing.blocks import SamplesBlock, SnapshotsBlock
from services.ingest.sealing.known import Known
from services.ingest.sealing.rows import Rows, Samples, Tally, join_samples, read_samples, read_snapshots
from services.ingest.sealing.span import HOUR, Span

MAX_SAMPLES = 4_000  # of a span: an hour of one every second
SAMPLES_AT_ONCE = 1_000  # an hour of one every five seconds; 8 MB where each is as large as is allowed
SNAPSHOTS_AT_ONCE = 250  # 18 MB where each is as large as is allowed
MAX_BYTES = 8 * 1024 * 1024  # of a span's values, and of its snapshots: an hour of one every second of most servers


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """The chunks of samples and of snapshots of one span: from `start` until before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Present:
    """How many samples there are of a server's hour, and when the last of them came."""

    samples: int
    received_at: datetime


class SealStore:
    """The sealer's SQL. Every method raises asyncpg's errors.

    Args:
        max_samples: how many samples a span may have.
        max_bytes: how large its values may be, and its snapshots.
    """

    def __init__(self, *, max_samples: int = MAX_SAMPLES, max_bytes: int = MAX_BYTES) -> None:
        self._max_samples = max_samples
        self._max_bytes = max_bytes
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))

    async def chunks(self, connection: Connection, *, before: datetime) -> Sequence[Chunks]:
        """The chunks of samples and snapshots that begin before a moment, the oldest first."""
        rows = await connection.fetch(self._queries["find_chunks"], before)
        return [Chunks(start=row["range_start"], end=row["range_end"]) for row in rows]

    async def count_samples(self, connection: Connection, hour: datetime) -> Mapping[uuid.UUID, Present]:
        """How many samples of each server there are of an hour, and when the last of them came."""
        rows = await connection.fetch(self._queries["count_samples"], hour, hour + HOUR)
        return {row["server_id"]: Present(row["count"], row["received_at"]) for row in rows}

    async def count_snapshots(self, connection: Connection, hour: datetime) -> Mapping[uuid.UUID, int]:
        """How many snapshots of each server there are of an hour."""
        rows = await connection.fetch(self._queries["count_snapshots"], hour, hour + HOUR)
        return {row["server_id"]: row["count"] for row in rows}

    async def read(self, connection: Connection, span: Span) -> Rows | None:
        """The rows of a span; None when there are too many. Raises ValueError when they can't be read."""
        asked = (span.server_id, span.start, span.end)
        samples = await self._read_samples(connection, span)
        if samples is None:
            return None
        snapshots: list[Row] = []
        cursor = await connection.cursor(self._queries["read_snapshots"], *asked)
        left = self._max_bytes
        while piece := await cursor.fetch(SNAPSHOTS_AT_ONCE):
            snapshots += piece
            left -= sum(len(one["snapshot"]) for one in piece)
            if left < 0:
                return None
        return Rows(samples, read_snapshots(snapshots))

    async def _read_samples(self, connection: Connection, span: Span) -> Sequence[Samples] | None:
        """The samples of a span, read in pieces; None when there are too many."""
        pieces: dict[tuple[uuid.UUID, int, int], list[Samples]] = {}
        start, count, size = span.start, 0, 0
        while count <= self._max_samples and size <= self._max_bytes:
            limit = min(SAMPLES_AT_ONCE, self._max_samples + 1 - count)
            asked = (span.server_id, start, span.end, limit)
            found = [read_samples(row) for row in await connection.fetch(self._queries["read_samples"], *asked)]
            for one in found:
                pieces.setdefault(one.key, []).append(one)
            count, size = count + sum(map(len, found)), size + sum(one.nbytes for one in found)
            if sum(map(len, found)) < limit:
                return [join_samples(same) for same in pieces.values()]
            start = to_datetime(max(int(one.times.max()) for one in found) + 1)
        return None

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

    async def remove_copies(self, connection: Connection, span: Span, moments: Collection[datetime]) -> Tally:
        """Take the rows of some moments away, which blocks hold; how many those were."""
        row = await connection.fetchrow(self._queries["remove_copies"], span.server_id, span.hour, list(moments))
        assert row is not None
        return Tally(row["samples"], row["snapshots"])

    async def drop_sealed_chunks(self, connection: Connection, start: datetime, rows: Tally) -> bool:
        """Give the chunks of a time back, if they have so many rows and blocks hold them.

        Raises LockNotAvailableError while somebody reads or writes them.
        """
        asked = (start, rows.samples, rows.snapshots)
        return bool(await connection.fetchval(self._queries["drop_sealed_chunks"], *asked))

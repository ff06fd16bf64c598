"""Writes the schema `telemetry`: one COPY per table and commit, and only when commits are durable."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from flick.clock import Clock
from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from services.ingest.intake import binary
from services.ingest.intake.custom import described
from services.ingest.intake.layouts import DAILY_BYTES
from services.ingest.intake.new_layouts import LayoutKey, NewLayout
from services.ingest.intake.samples import Row
from services.ingest.ledger.counts import Counts
from services.ingest.ledger.outcomes import Outcomes, of_replay

CHECK_DURABILITY_EVERY_S = 10.0  # an operator may change the settings while connections stay

_METRICS_COLUMNS = ("time", "server_id", "organization_id", "received_at", "layout_id", "core", "labelled")
_PROCESSES_COLUMNS = ("time", "server_id", "organization_id", "snapshot")
# `on` and `remote_apply` wait for the local disk; so would `local` and `remote_write`, but only these two keep an ack's
# promise also where a standby takes over.
_DURABLE = {"fsync": {"on"}, "full_page_writes": {"on"}, "synchronous_commit": {"on", "remote_apply"}}


class NotDurableError(Exception):
    """A commit would not be durable, so nothing may be acked. The text names the setting and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """A gap as it is stored."""

    server_id: uuid.UUID
    organization_id: uuid.UUID
    start_time: datetime
    end_time: datetime
    reason: int
    dropped_samples: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of the rows of one commit.

    Attributes:
        stored: how many samples are new.
        conflicts: positions of the samples whose server and time are stored already with other content.
    """

    stored: int
    conflicts: frozenset[int] = frozenset()


class Store:
    """Telemetry in PostgreSQL. Its methods raise UNAVAILABLE and DEADLINE_EXCEEDED, as `flick.db.pool` says."""

    def __init__(self, *, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))
        self._counts = Counts()
        self._checked: tuple[int, float] = (0, 0.0)  # which connection, and when

    async def layout_ids(self, layouts: Sequence[NewLayout]) -> dict[LayoutKey, int]:
        """The ids of layouts of different servers, which are stored if they are new.

        Without those whose server has no room for another one today.
        """
        async with self._pool.acquire() as connection:
            found = await self._find_layouts(connection, layouts)
            missing = [layout for layout in layouts if layout.key not in found]
            if missing:
                found |= await self._add_layouts(connection, missing)
        return found

    async def _find_layouts(self, connection: Connection, layouts: Sequence[NewLayout]) -> dict[LayoutKey, int]:
        keys = [one.server_id for one in layouts], [one.digest for one in layouts]
        rows = await connection.fetch(self._queries["find_layouts"], *keys)
        return {(row["server_id"], row["digest"]): row["layout_id"] for row in rows}

    async def _add_layouts(self, connection: Connection, layouts: Sequence[NewLayout]) -> dict[LayoutKey, int]:
        async with connection.transaction():
            await connection.execute(self._queries["lock_layouts"], [one.server_id for one in layouts])
            rows = await connection.fetch(
                self._queries["add_layouts"],
                [one.server_id for one in layouts],
                [one.organization_id for one in layouts],
                [one.digest for one in layouts],
                [one.series for one in layouts],
                DAILY_BYTES,
            )
            added = {(row["server_id"], row["digest"]): row["layout_id"] for row in rows}
            custom = described([layout for layout in layouts if layout.key in added])
            if custom:
                await connection.execute(self._queries["describe_custom_metrics"], *zip(*custom, strict=True))
        others = [layout for layout in layouts if layout.key not in added]  # another process may have been faster
        return added | await self._find_layouts(connection, others) if others else added

    async def write(self, rows: Sequence[Row], gaps: Sequence[GapRow], outcomes: Outcomes) -> Written:
        """Commit samples and gaps; what is stored already changes nothing, and is counted with the other `outcomes`.

        Raises NotDurableError when the commit would not be durable, and asyncpg's error when a row can't be stored.
        """
        try:
            return await self._write(rows, gaps, outcomes)
        except asyncpg.InternalServerError:  # the empty chunk of late samples was given back while they waited for it
            return await self._write(rows, gaps, outcomes)

    async def _write(self, rows: Sequence[Row], gaps: Sequence[GapRow], outcomes: Outcomes) -> Written:
        async with self._pool.acquire() as connection:
            await self.require_durable(connection)
            try:
                async with connection.transaction():
                    await self._add_gaps(connection, gaps)
                    await self._copy(connection, rows)
                    await self._counts.add(connection, outcomes)
                return Written(stored=len(rows))
            except asyncpg.UniqueViolationError:  # something was replayed: slower, row by row
                async with connection.transaction():
                    await self._add_gaps(connection, gaps)
                    written, replayed = await self._merge(connection, rows)
                    await self._counts.add(connection, outcomes + replayed)
                return written

    async def check_durability(self) -> None:
        """Raise NotDurableError when a commit would not be durable."""
        async with self._pool.acquire() as connection:
            await self.require_durable(connection)

    async def require_durable(self, connection: Connection) -> None:
        """Raise NotDurableError when a commit of this connection would not be durable, as far as is known."""
        backend, at_s = self._checked
        now_s = self._clock.monotonic_s()
        if backend == connection.get_server_pid() and now_s - at_s < CHECK_DURABILITY_EVERY_S:
            return
        settings = await connection.fetchrow(self._queries["read_durability"])
        assert settings is not None
        for name, durable in _DURABLE.items():
            if settings[name] not in durable:
                raise NotDurableError(
                    f"PostgreSQL has {name} = {settings[name]}, so a commit may get lost. Set {name} = on."
                )
        self._checked = (connection.get_server_pid(), now_s)

    async def _add_gaps(self, connection: Connection, gaps: Sequence[GapRow]) -> None:
        if gaps:
            arguments = [
                (one.server_id, one.organization_id, one.start_time, one.end_time, one.reason, one.dropped_samples,
                 one.received_at)
                for one in gaps
            ]  # fmt: skip
            await connection.executemany(self._queries["add_gap"], arguments)

    async def _copy(self, connection: Connection, rows: Sequence[Row]) -> None:
        if rows:
            await _copy_in(connection, "metrics", _METRICS_COLUMNS, [row.metrics for row in rows], schema="telemetry")
        snapshots = [row.processes for row in rows if row.processes]
        if snapshots:
            await _copy_in(connection, "processes", _PROCESSES_COLUMNS, snapshots, schema="telemetry")

    async def _merge(self, connection: Connection, rows: Sequence[Row]) -> tuple[Written, Outcomes]:
        samples = {position: row.metrics for position, row in enumerate(rows)}
        added, conflicts = await self._merge_table(connection, "metrics", _METRICS_COLUMNS, samples)
        snapshots = {
            position: row.processes for position, row in enumerate(rows) if row.processes and position not in conflicts
        }
        _, more = await self._merge_table(connection, "processes", _PROCESSES_COLUMNS, snapshots)
        written = Written(stored=sum(added.values()), conflicts=frozenset(conflicts | more))
        return written, of_replay([row.owner for row in rows], added=added, conflicts=written.conflicts)

    async def _merge_table(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Mapping[int, bytes]
    ) -> tuple[dict[uuid.UUID, int], set[int]]:
        """Merge rows, each under its position.

        Returns how many of each server were new, and the positions in conflict.
        """
        if not rows:
            return {}, set()
        await connection.execute(self._queries[f"create_{table}_staging"])
        staged = [binary.integer(position) + row for position, row in rows.items()]
        await _copy_in(connection, f"staging_{table}", ("position", *columns), staged)
        merged = await connection.fetch(self._queries[f"merge_{table}"])
        added = {row["server_id"]: row["count"] for row in merged}
        if sum(added.values()) == len(rows):
            return added, set()
        conflicts = await connection.fetch(self._queries[f"find_{table}_conflicts"])
        return added, {row["position"] for row in conflicts}


async def _copy_in(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[bytes], *, schema: str | None = None
) -> None:
    async def source() -> AsyncIterator[bytes]:
        for piece in binary.stream(len(columns), rows):
            yield piece

    await connection.copy_to_table(table, source=source(), schema_name=schema, columns=columns, format="binary")

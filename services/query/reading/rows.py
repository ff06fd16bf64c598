"""Plain rows: samples as they were committed, one by one. PostgreSQL sends them as arrays in their binary form."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from flick.db.pool import Connection
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.block import Lags
from services.query.reading.moments import bounds, from_us
from services.query.rules.catalog import Catalog
from services.query.rules.plan import Span, Times
from services.query.rules.points import Block
from services.query.rules.series import CORE, Cell

# How PostgreSQL sends an array without nulls: its head, then each element behind its length in bytes.
_HEAD_BYTES, _DIMENSION_BYTES = 12, 8
_FLOATS = np.dtype([("length", ">i4"), ("value", ">f8")])
_TIMES = np.dtype([("length", ">i4"), ("value", ">i8")])
_EPOCH_US = 946_684_800_000_000  # the year 2000, from which PostgreSQL counts


class NewestSample(NamedTuple):
    """A whole sample; what was not measured is None or NaN. Its layout is 0 where there is none."""

    time_us: int
    layout_id: int
    core: Sequence[float | None]
    labelled: Sequence[float | None]


class Rows:
    """The tables of plain rows. Every method raises asyncpg's errors and OSError when PostgreSQL does not answer.

    Args:
        catalog: the built-in metrics; its columns are the only ones that are ever read.
    """

    def __init__(self, *, catalog: Catalog) -> None:
        self._queries = load_queries(QUERIES)
        core = sorted((one.number, one.column) for one in catalog.resolve([]) if one.column)
        self._columns = frozenset(column for _, column in core)
        self._core = _core_columns(core)

    async def times_us(self, connection: Connection, server_id: str, span: Span, *, limit: int) -> list[int]:
        """When the first samples of a span were measured, at most `limit` of them."""
        found: list[int] = await connection.fetchval(self._queries["row_times"], server_id, *bounds(span), limit)
        return found

    async def blocks(self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell]) -> list[Block]:
        """The values of `cells`, either core columns or elements of the labelled array, or none, but the times."""
        core = bool(cells) and not cells[0].position
        sql = self._queries["row_columns"].replace("/*layout*/", str(CORE) if core else "coalesce(layout_id, 0)")
        sql = sql.replace("/*values*/", ", ".join(map(self._expression, cells)) or "0")
        rows = await connection.fetch(sql, server_id, *bounds(span))
        return [_block(*row, width=len(cells)) for row in rows]

    async def layout_ids(self, connection: Connection, server_id: str, span: Span) -> set[int]:
        """The layouts that samples of the span have."""
        rows = await connection.fetch(self._queries["row_layout_ids"], server_id, *bounds(span))
        return {row["layout_id"] for row in rows}

    async def lags(self, connection: Connection, server_id: str, span: Span) -> Lags:
        """How the samples of the span came."""
        row = await connection.fetchrow(self._queries["row_lags"], server_id, *bounds(span))
        if row is None or row["times"] is None:
            return Lags(np.array([], np.int64), np.array([], np.int64))
        times_us = _times(row["times"])
        order = np.argsort(times_us, kind="stable")
        return Lags(times_us[order], (_times(row["received"]) - times_us)[order])

    async def newest(
        self, connection: Connection, server_ids: Sequence[str], after_us: int
    ) -> Mapping[str, NewestSample]:
        """The newest sample of each server that has one after a moment."""
        sql = self._queries["row_newest"].replace("/*core*/", self._core)
        rows = await connection.fetch(sql, server_ids, from_us(after_us))
        return {str(server_id): NewestSample(*rest) for server_id, *rest in rows}

    async def newest_times_us(
        self, connection: Connection, server_ids: Sequence[str], after_us: int
    ) -> Mapping[str, int]:
        """When the newest sample of each server that has one after a moment was measured."""
        rows = await connection.fetch(self._queries["row_newest_times"], server_ids, from_us(after_us))
        return {str(server_id): time_us for server_id, time_us in rows}

    async def processes(self, connection: Connection, server_id: str, span: Span) -> tuple[int, bytes] | None:
        """The last snapshot of processes within the span: its time and packed processes."""
        row = await connection.fetchrow(self._queries["row_processes"], server_id, *bounds(span))
        return (row["time_us"], row["snapshot"]) if row else None

    def _expression(self, cell: Cell) -> str:
        if cell.position:
            return f"coalesce(labelled[{cell.position:d}], 'NaN')"
        if cell.column not in self._columns:
            raise ValueError(f"{cell.column!r} is no column of the catalogue")
        return f"coalesce({cell.column}, 'NaN')"


def _block(layout_id: int, times: bytes, values: bytes, *, width: int) -> Block:
    times_us = _times(times)
    rows = np.frombuffer(values, _FLOATS, offset=_HEAD_BYTES + 2 * _DIMENSION_BYTES)["value"]
    columns = rows.reshape(len(times_us), -1)[:, :width].T.astype(np.float64)
    order = np.argsort(times_us, kind="stable")  # to demand it of PostgreSQL would cost more
    return Block(layout_id=layout_id, times_us=times_us[order], values=columns[:, order])


def _times(sent: bytes) -> Times:
    times_us: Times = np.frombuffer(sent, _TIMES, offset=_HEAD_BYTES + _DIMENSION_BYTES)["value"] + _EPOCH_US
    return times_us


def _core_columns(core: Sequence[tuple[int, str]]) -> str:
    """The expressions of a sample's core values: the column of metric n at position n - 1, null where there is none."""
    columns = dict(core)
    return ", ".join(columns.get(number, "null") for number in range(1, max(columns) + 1))

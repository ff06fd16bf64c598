"""Plain rows: samples as they were committed, one by one. PostgreSQL combines and counts them."""

from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from flick.db.pool import Connection
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.moments import bounds, from_us
from services.query.rules.catalog import Catalog
from services.query.rules.plan import Span
from services.query.rules.points import SampleRow, StepRow
from services.query.rules.series import Cell


class LateRow(NamedTuple):
    """A row without its values: its layout (0: none), and how long after its time it came, in microseconds."""

    time_us: int
    layout_id: int
    lag_us: int


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

    async def hourly_times_us(self, connection: Connection, server_id: str, span: Span) -> AsyncIterator[Sequence[int]]:
        """When the samples of the span were measured, in order, each hour by itself."""
        async for row in connection.cursor(self._queries["row_hour_times"], server_id, *bounds(span), prefetch=24):
            yield row["times_us"]

    async def any_before(self, connection: Connection, server_id: str, moment_us: int) -> bool:
        """Whether there is a sample before a moment."""
        found: bool = await connection.fetchval(self._queries["row_before"], server_id, from_us(moment_us))
        return found

    async def hours(self, connection: Connection, server_id: str, span: Span) -> dict[int, int]:
        """How many samples of the span each hour has that has any, by when it begins, in microseconds."""
        rows = await connection.fetch(self._queries["row_hours"], server_id, *bounds(span))
        return {row["hour_us"]: row["count"] for row in rows}

    async def samples(
        self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell]
    ) -> list[SampleRow]:
        """The values of `cells`, either core columns or elements of the labelled array, as they were measured."""
        sql = self._fill("row_samples", cells, values="{}")
        return [SampleRow(*row) for row in await connection.fetch(sql, server_id, *bounds(span))]

    async def steps(
        self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell], *, step_us: int
    ) -> list[StepRow]:
        """The values of `cells`, combined by steps. A step that has samples of two layouts has a row of each."""
        sql = self._fill("row_steps", cells, counts="count({})", totals="sum({})", minima="min({})", maxima="max({})")
        rows = await connection.fetch(sql, server_id, *bounds(span), timedelta(microseconds=step_us))
        return [StepRow(*row) for row in rows]

    async def layout_ids(self, connection: Connection, server_id: str, span: Span) -> set[int]:
        """The layouts that samples of the span have."""
        rows = await connection.fetch(self._queries["row_layout_ids"], server_id, *bounds(span))
        return {row["layout_id"] for row in rows}

    async def lags_us(self, connection: Connection, server_id: str, span: Span) -> "list[array[int]]":
        """How long after their times the samples of the span came, in microseconds: sorted, in parts of an hour."""
        rows = connection.cursor(self._queries["row_lags"], server_id, *bounds(span))
        return [array("q", row["lags_us"]) async for row in rows]

    async def late(self, connection: Connection, server_id: str, span: Span) -> list[LateRow]:
        """The samples of the span without their values."""
        return [LateRow(*row) for row in await connection.fetch(self._queries["row_lates"], server_id, *bounds(span))]

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

    def _fill(self, query: str, cells: Sequence[Cell], **lists: str) -> str:
        """The SQL of `query` for `cells`; `lists` says by what form each of its lists is made of their expressions."""
        expressions = [self._expression(cell) for cell in cells]
        sql = self._queries[query].replace("/*layout*/", "coalesce(layout_id, 0)" if cells[0].position else "0")
        for name, form in lists.items():
            sql = sql.replace(f"/*{name}*/", ", ".join(form.format(one) for one in expressions))
        return sql

    def _expression(self, cell: Cell) -> str:
        if cell.position:
            return f"nullif(labelled[{cell.position:d}]::float8, 'NaN')"
        if cell.column not in self._columns:
            raise ValueError(f"{cell.column!r} is no column of the catalogue")
        return f"nullif({cell.column}::float8, 'NaN')"


def _core_columns(core: Sequence[tuple[int, str]]) -> str:
    """The expressions of a sample's core values: the column of metric n at position n - 1, null where there is none."""
    columns = dict(core)
    return ", ".join(columns.get(number, "null") for number in range(1, max(columns) + 1))

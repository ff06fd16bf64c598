"""Reads the schema `telemetry`, which ingest writes; query itself writes nothing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.errors import invalid
from services.query.layouts import QUERIES, Layouts
from services.query.rules.catalog import Catalog
from services.query.rules.measured import Measured
from services.query.rules.plan import Probe, Span
from services.query.rules.points import SampleRow, StepRow
from services.query.rules.series import Cell, Layout

# Of one answer's layouts: some 4,000 of a hundred series, or 200 of the largest. A broken agent declares without end.
MAX_LAYOUT_BYTES = 4 * 1024 * 1024
_EPOCH = datetime.fromtimestamp(0, tz=UTC)


class Store:
    """Samples and processes in PostgreSQL. Every method raises asyncpg's errors and OSError when it does not answer.

    Args:
        pool: connections as role flick_query.
        catalog: the built-in metrics; its columns are the only ones that are ever read.
        layouts: what the stored layout ids mean.
    """

    def __init__(self, *, pool: Pool, catalog: Catalog, layouts: Layouts) -> None:
        self._pool = pool
        self._layouts = layouts
        self._queries = load_queries(QUERIES)
        core = sorted((one.number, one.column) for one in catalog.resolve([]) if one.column)
        self._columns = frozenset(column for _, column in core)
        self._core = _core_columns(core)

    async def probe(self, server_id: str, span: Span, *, limit: int) -> Probe:
        """How the span begins, counted up to `limit` rows."""
        row = await self._pool.fetchrow(self._queries["probe"], server_id, *_bounds(span), limit)
        assert row is not None  # an aggregate always has a row
        if not row["rows"]:
            return Probe(rows=0)
        return Probe(rows=row["rows"], first_us=to_us(row["first"]), last_us=to_us(row["last"]))

    async def samples(self, server_id: str, span: Span, cells: Sequence[Cell]) -> list[SampleRow]:
        """The values of `cells`, either core columns or elements of the labelled array, as they were measured."""
        sql = self._fill("samples", cells, values="{}")
        rows = await self._pool.fetch(sql, server_id, *_bounds(span))
        return [SampleRow(*row) for row in rows]

    async def steps(self, server_id: str, span: Span, cells: Sequence[Cell], *, step_us: int) -> list[StepRow]:
        """The values of `cells`, combined by steps. A step that has samples of two layouts has a row of each."""
        sql = self._fill("steps", cells, counts="count({})", totals="sum({})", minima="min({})", maxima="max({})")
        rows = await self._pool.fetch(sql, server_id, *_bounds(span), timedelta(microseconds=step_us))
        return [StepRow(*row) for row in rows]

    async def layouts(self, server_id: str, span: Span) -> Mapping[int, Layout]:
        """The layouts that samples of the span have. Raises INVALID_ARGUMENT when there are too many to read."""
        rows = await self._pool.fetch(self._queries["layout_ids"], server_id, *_bounds(span))
        layout_ids = [row["layout_id"] for row in rows]
        if await self._pool.fetchval(self._queries["layouts_size"], layout_ids) > MAX_LAYOUT_BYTES:
            raise invalid("start_time", "reaches over too many changes of what was measured; ask for a shorter span.")
        return await self._layouts.get(layout_ids)

    async def newest_samples(self, server_ids: Sequence[str], after_us: int) -> Mapping[str, Measured]:
        """The newest sample of each server that has one after a moment."""
        sql = self._queries["newest_samples"].replace("/*core*/", self._core)
        rows = await self._pool.fetch(sql, server_ids, from_us(after_us))
        layouts = await self._layouts.get([row["layout_id"] for row in rows if row["layout_id"]])
        return {
            str(row["server_id"]): Measured(
                time_us=to_us(row["time"]),
                core=row["core"],
                layout=layouts.get(row["layout_id"], ()),
                labelled=row["labelled"] or (),
            )
            for row in rows
        }

    async def newest_times(self, server_ids: Sequence[str], after_us: int) -> Mapping[str, int]:
        """When the newest sample of each server that has one after a moment was measured, in microseconds."""
        rows = await self._pool.fetch(self._queries["newest_times"], server_ids, from_us(after_us))
        return {str(row["server_id"]): to_us(row["time"]) for row in rows}

    async def processes(self, server_id: str, span: Span) -> tuple[int, bytes] | None:
        """The last snapshot of processes within the span, both ends included: its time and packed processes."""
        row = await self._pool.fetchrow(self._queries["processes"], server_id, *_bounds(span))
        return (to_us(row["time"]), row["snapshot"]) if row else None

    def _fill(self, query: str, cells: Sequence[Cell], **lists: str) -> str:
        """The SQL of `query` for `cells`; `lists` says by what form each of its lists is made of their expressions."""
        expressions = [self._expression(cell) for cell in cells]
        sql = self._queries[query].replace("/*layout*/", "layout_id" if cells[0].position else "0")
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


def _bounds(span: Span) -> tuple[datetime, datetime]:
    return from_us(span.start_us), from_us(span.end_us)


def from_us(moment_us: int) -> datetime:
    """A moment as asyncpg takes it."""
    return _EPOCH + timedelta(microseconds=moment_us)


def to_us(moment: datetime) -> int:
    """Microseconds since the Unix epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)

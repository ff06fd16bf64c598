"""Plain rows: samples as they were committed, one by one. PostgreSQL sends them side by side in their binary form."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from flick.columns import WIDTHS
from flick.db.pool import Connection, Row
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.block import Lags
from services.query.reading.moments import bounds, from_us
from services.query.reading.packed import Runs, runs_of
from services.query.rules.catalog import Catalog
from services.query.rules.plan import Span, Times
from services.query.rules.points import Block
from services.query.rules.series import CORE, Cell

SKIPPED = 8  # values that nobody asked for: to leave out more of them at a time costs less than to send them
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
        catalog: the built-in metrics, whose numbers say in which order a row has them.
    """

    def __init__(self, *, catalog: Catalog) -> None:
        self._queries = load_queries(QUERIES)
        core = sorted((one.number, one.column) for one in catalog.resolve([]) if one.column)
        self._places = {column: number - 1 for number, column in core}

    async def times_us(self, connection: Connection, server_id: str, span: Span, *, limit: int) -> list[int]:
        """When the first samples of a span were measured, at most `limit` of them."""
        found: list[int] = await connection.fetchval(self._queries["row_times"], server_id, *bounds(span), limit)
        return found

    async def blocks(self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell]) -> list[Block]:
        """The values of `cells`, either core columns or elements of the labelled array, or none, but the times."""
        core = bool(cells) and not cells[0].position
        packed, code = ("core", "d") if core else ("labelled", "f")
        places = [self._places[one.column] if core else one.position - 1 for one in cells]
        runs, width = runs_of(places, skipped=SKIPPED), WIDTHS[code]
        cut = " || ".join(
            f"substring({packed} from {width * low + 1:d} for {width * (high - low):d})" for low, high in runs
        )
        sql = self._queries["row_columns"].replace("/*layout*/", str(CORE) if core else "coalesce(layout_id, 0)")
        sql = sql.replace("/*packed*/", packed).replace("/*cut*/", cut or "''::bytea")
        rows = await connection.fetch(sql, server_id, *bounds(span))
        return [_block(row, runs, places, code) for row in rows]

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
        rows = await connection.fetch(self._queries["row_newest"], server_ids, from_us(after_us))
        return {
            str(row["server_id"]): NewestSample(
                row["time_us"],
                row["layout_id"],
                np.frombuffer(row["core"], ">f8").tolist(),
                np.frombuffer(row["labelled"], ">f4").tolist(),
            )
            for row in rows
        }

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


def _block(row: Row, runs: Runs, places: Sequence[int], code: str) -> Block:
    """Samples that are too short for a value have not measured it."""
    times_us = _times(row["times"])
    count = row["size"] // WIDTHS[code]
    held = {place: at for at, place in enumerate(place for run in runs for place in range(*run) if place < count)}
    values = np.full((len(places), len(times_us)), np.nan)
    if held:
        sent = np.frombuffer(row["values"], f">{code}").reshape(len(times_us), len(held))
        present = [at for at, place in enumerate(places) if place in held]
        values[present] = sent[:, [held[places[at]] for at in present]].T
    order = np.argsort(times_us, kind="stable")  # to demand it of PostgreSQL would cost more
    return Block(layout_id=row["layout_id"], times_us=times_us[order], values=values[:, order])


def _times(sent: bytes) -> Times:
    times_us: Times = np.frombuffer(sent, ">i8").astype(np.int64) + _EPOCH_US
    return times_us

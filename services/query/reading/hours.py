"""Sealed hours: blocks of packed columns, which ingest writes once an hour is over.

A server's hour is one block or several, each of one layout. They may lie over one another in time, but no moment is in
two of them. What is read of them is unpacked in a thread, so that other calls go on meanwhile.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np

from flick.db.pool import Connection, Row
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.block import Lags, within
from services.query.reading.moments import bounds, from_us
from services.query.reading.packed import Runs, read_blob, read_columns, read_last, read_numbers, runs_of
from services.query.reading.rows import NewestSample
from services.query.reading.worker import Worker
from services.query.rules.catalog import Catalog
from services.query.rules.delivery import HOUR_US
from services.query.rules.plan import Span
from services.query.rules.points import Block
from services.query.rules.series import CORE, Cell

READ_AT_ONCE = 20  # whole blocks: 3 MB
# Blocks never change, and who watches a server that is off asks for its last sample again and again. About 3 MB.
MAX_KEPT_SAMPLES = 1000


class NewestBlock(NamedTuple):
    """Which block it is, and when its last sample was measured, in microseconds since the Unix epoch."""

    time_us: int
    server_id: UUID
    hour: datetime
    first_time: datetime


class Hours:
    """The tables of sealed hours.

    Every method raises asyncpg's errors and OSError when PostgreSQL does not answer, and DATA_LOSS when a block is
    damaged. What may touch a span is told whole: a block can begin before it and end after it.

    Args:
        catalog: the built-in metrics, whose numbers say in which order a block has them.
        worker: unpacks.
    """

    def __init__(self, *, catalog: Catalog, worker: Worker) -> None:
        self._worker = worker
        self._queries = load_queries(QUERIES)
        core = sorted((one.number, one.column) for one in catalog.resolve([]) if one.column)
        self._places = {column: place for place, (_, column) in enumerate(core)}
        self._numbers = [number for number, _ in core]
        self._kept: OrderedDict[NewestBlock, NewestSample] = OrderedDict()  # the one used last stands last

    async def blocks(self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell]) -> list[Block]:
        """The values of `cells`, either core columns or elements of the labelled array."""
        core = not cells[0].position
        places = [self._places[one.column] if core else one.position - 1 for one in cells]
        runs = runs_of(places)
        sql = self._queries["hour_columns"].replace("/*packed*/", "core" if core else "labelled")
        sql = sql.replace("/*layout*/", str(CORE) if core else "layout_id").replace("/*weights*/", "")
        sql = sql.replace("/*table*/", "sealed_metrics").replace("/*begin*/", "hour")
        lows, highs = [low for low, _ in runs], [high for _, high in runs]
        rows = await connection.fetch(sql, server_id, *_bounds(span), lows, highs)
        return await self._worker.run(lambda: [_block(row, runs, places) for row in rows])

    async def times(self, connection: Connection, server_id: str, span: Span) -> list[Block]:
        """When the samples were measured: blocks without columns."""
        rows = await connection.fetch(self._queries["hour_times"], server_id, *_bounds(span))
        return await self._worker.run(lambda: [_block(row, [], []) for row in rows])

    async def lags(self, connection: Connection, server_id: str, span: Span) -> list[Lags]:
        """How the samples came."""
        rows = await connection.fetch(self._queries["hour_lags"], server_id, *_bounds(span))
        return await self._worker.run(
            lambda: [Lags(read_numbers(row["times"]), read_numbers(row["lags"])) for row in rows]
        )

    async def newest_blocks(
        self, connection: Connection, server_ids: Sequence[str], after_us: int
    ) -> Mapping[str, NewestBlock]:
        """The block with the newest sample of each server that has one after a moment."""
        rows = await connection.fetch(
            self._queries["hour_newest"], server_ids, from_us(after_us), from_us(after_us // HOUR_US * HOUR_US)
        )
        return {str(row["server_id"]): NewestBlock(*row) for row in rows}

    async def last_samples(
        self, connection: Connection, blocks: Mapping[str, NewestBlock]
    ) -> Mapping[str, NewestSample]:
        """The last sample of each of the blocks, which are given and returned by server."""
        found = {server_id: self._kept[block] for server_id, block in blocks.items() if block in self._kept}
        unknown = [block[1:] for server_id, block in blocks.items() if server_id not in found]
        for begin in range(0, len(unknown), READ_AT_ONCE):
            keys = [list(one) for one in zip(*unknown[begin : begin + READ_AT_ONCE], strict=True)]
            rows = await connection.fetch(self._queries["hour_whole"], *keys)
            found |= await self._worker.run(self._last_of_each, rows)
        for server_id, sample in found.items():
            self._keep(blocks[server_id], sample)
        return found

    async def processes(self, connection: Connection, server_id: str, span: Span) -> tuple[int, bytes] | None:
        """The last snapshot of processes within the span: its time and packed processes."""
        rows = await connection.fetch(self._queries["hour_processes"], server_id, *_bounds(span))
        return await self._worker.run(_last_snapshot, rows, span) if rows else None

    def _keep(self, block: NewestBlock, sample: NewestSample) -> None:
        self._kept[block] = sample
        self._kept.move_to_end(block)
        while len(self._kept) > MAX_KEPT_SAMPLES:
            self._kept.popitem(last=False)

    def _last_of_each(self, rows: Sequence[Row]) -> Mapping[str, NewestSample]:
        return {str(row["server_id"]): self._last(row) for row in rows}

    def _last(self, row: Row) -> NewestSample:
        core: list[float | None] = [None] * self._numbers[-1]
        for number, value in zip(self._numbers, read_last(row["core"]), strict=False):
            core[number - 1] = value
        labelled = read_last(row["labelled"]) if row["labelled"] else ()
        return NewestSample(row["time_us"], row["layout_id"], core, labelled)


def _bounds(span: Span) -> tuple[datetime, datetime, datetime]:
    """The span's beginning and end, and the hour in which it begins."""
    return *bounds(span), from_us(span.start_us // HOUR_US * HOUR_US)


def _block(row: Row, runs: Runs, places: Sequence[int]) -> Block:
    times_us = read_numbers(row["times"])
    if places and row["head"]:
        values = read_columns(row["head"], row["streams"], runs, places, rows=len(times_us))
    else:  # samples without labelled values have none
        values = np.full((len(places), len(times_us)), np.nan)
    return Block(layout_id=row["layout_id"], times_us=times_us, values=values)


def _last_snapshot(rows: Sequence[Row], span: Span) -> tuple[int, bytes] | None:
    found: tuple[int, int, Row] | None = None
    for row in rows:
        times_us = read_numbers(row["times"])
        inside = within(times_us, span)
        place = inside.stop - 1
        if place >= inside.start and (found is None or times_us[place] > found[0]):
            found = int(times_us[place]), place, row
    if found is None:
        return None
    time_us, place, row = found
    return time_us, read_blob(row["snapshots"], place)

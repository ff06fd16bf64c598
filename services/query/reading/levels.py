"""Rollups: buckets of a minute, an hour and a day, which ingest makes of sealed hours, and anew when late samples come.

Migration 0008 of ingest tells how they lie.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from flick.db.pool import Connection, Row
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.block import Buckets, as_set, chosen_buckets, within
from services.query.reading.moments import bounds, from_us
from services.query.reading.packed import Runs, read_all_numbers, read_columns, read_numbers, runs_of, width_of
from services.query.reading.snapshot import memory
from services.query.reading.worker import COLUMN_US, Worker
from services.query.rules.catalog import Catalog
from services.query.rules.delivery import HOUR_US
from services.query.rules.levels import DAYS, LEVELS, Hours, Level
from services.query.rules.plan import Span, Times
from services.query.rules.points import Floats
from services.query.rules.series import CORE, Cell

MAX_HELD_VALUES = 250_000  # unpacked at a time: 8 MB
_MARGIN_US = 5 * DAYS.bucket_us  # steps and gaps reach beyond what is asked for by a few buckets
_SIDE_BY_SIDE = 3  # columns of a metric: minimum, average, maximum
_PLACE = np.dtype(">u2")


class Levels:
    """The tables of rollups.

    Every method raises asyncpg's errors and OSError when PostgreSQL does not answer, and DATA_LOSS when a block is
    damaged.

    Args:
        catalog: the built-in metrics, whose numbers say in which order a block has them.
        worker: unpacks.
    """

    def __init__(self, *, catalog: Catalog, worker: Worker) -> None:
        self._worker = worker
        self._queries = load_queries(QUERIES)
        core = sorted((one.number, one.column) for one in catalog.resolve([]) if one.column)
        self._places = {column: place for place, (_, column) in enumerate(core)}

    async def firsts(self, connection: Connection, server_id: str, before_us: int) -> Mapping[Level, int]:
        """When the first bucket of each level begins that has any before a moment."""
        row = await connection.fetchrow(self._queries["rollup_firsts"], server_id, from_us(before_us))
        found = dict(row) if row else {}
        return {level: found[level.name] for level in LEVELS if found.get(level.name) is not None}

    async def lacking(self, connection: Connection, server_id: str, span: Span) -> Hours:
        """The hours of a span that levels don't show as they are."""
        hours, known = span.aligned(HOUR_US), memory()
        around, found = known.get((server_id, "lacking"), (Span(start_us=0, end_us=0), {}))
        if hours.start_us < around.start_us or hours.end_us > around.end_us:
            around = Span(start_us=max(0, hours.start_us - _MARGIN_US), end_us=hours.end_us + _MARGIN_US)
            rows = await connection.fetch(self._queries["lacking"], server_id, *bounds(around))
            found = {row["hour_us"]: row["has_minutes"] for row in rows}
            known[server_id, "lacking"] = around, found
        inside = {one: has for one, has in found.items() if hours.start_us <= one < hours.end_us}
        return Hours(
            sampled=frozenset(one for one, has_minutes in inside.items() if not has_minutes),
            minutes=frozenset(one for one, has_minutes in inside.items() if has_minutes),
        )

    async def any_before(self, connection: Connection, server_id: str, moment_us: int) -> bool:
        """Whether there is an hour before a moment, but for what is not rolled up to hours."""
        found: bool = await connection.fetchval(self._queries["rollup_before"], server_id, from_us(moment_us))
        return found

    async def layout_ids(self, connection: Connection, server_id: str, level: Level, span: Span) -> set[int]:
        """The layouts of the blocks that touch the span."""
        sql = self._queries["rollup_layout_ids"].replace("/*table*/", f"rollups_{level.name}")
        rows = await connection.fetch(sql, server_id, *bounds(span), from_us(span.start_us - level.block_us))
        return {row["layout_id"] for row in rows}

    async def times_us(self, connection: Connection, server_id: str, level: Level, span: Span) -> Times:
        """When the buckets of the span begin, in order."""
        sql = self._queries["rollup_times"].replace("/*table*/", f"rollups_{level.name}")
        rows = await connection.fetch(sql, server_id, *bounds(span), from_us(span.start_us - level.block_us))
        return await self._worker.run_if_long(len(rows) * COLUMN_US, _times_us, rows, span)

    def parts(self, level: Level, span: Span, cells: Sequence[Cell]) -> Iterator[Span]:
        """The span in parts of which each has few values."""
        most = MAX_HELD_VALUES // (_SIDE_BY_SIDE * len(cells) + 2)
        length_us = (
            max(1, most * level.bucket_us // HOUR_US) * HOUR_US if level.bucket_us < HOUR_US else most * level.bucket_us
        )
        for begin_us in range(span.start_us, span.end_us, length_us):
            yield Span(start_us=begin_us, end_us=min(begin_us + length_us, span.end_us))

    async def buckets(
        self, connection: Connection, server_id: str, level: Level, span: Span, cells: Sequence[Cell]
    ) -> list[Buckets]:
        """The values of `cells`, either core metrics or elements of the labelled array, in the buckets of the span."""
        core = not cells[0].position
        metrics = [self._places[one.column] if core else one.position - 1 for one in cells]
        places = [_SIDE_BY_SIDE * metric + side for metric in metrics for side in range(_SIDE_BY_SIDE)]
        runs = runs_of(places)
        sql = self._queries["hour_columns"].replace("/*packed*/", "core" if core else "labelled")
        sql = sql.replace("/*layout*/", str(CORE) if core else "layout_id")
        sql = sql.replace("/*table*/", f"rollups_{level.name}").replace("/*begin*/", "span_start")
        sql = sql.replace("/*weights*/", ", weights, weight_places")
        rows = await connection.fetch(
            sql,
            server_id,
            *bounds(span),
            from_us(span.start_us - level.block_us),
            [low for low, _ in runs],
            [high for _, high in runs],
        )
        columns = len(places) + 2  # and the times and weights
        return await self._worker.run_if_long(
            len(rows) * columns * COLUMN_US,
            lambda: [_buckets(row, runs, places, metrics, core=core, span=span) for row in rows],
        )


def _buckets(row: Row, runs: Runs, places: Sequence[int], metrics: Sequence[int], *, core: bool, span: Span) -> Buckets:
    times_us = read_numbers(row["times"])
    if row["head"]:
        sides = read_columns(row["head"], row["streams"], runs, places, rows=len(times_us))
    else:  # samples without labelled values have none
        sides = np.full((len(places), len(times_us)), np.nan)
    low, average, high = (sides[side::_SIDE_BY_SIDE] for side in range(_SIDE_BY_SIDE))
    found = Buckets(
        layout_id=row["layout_id"],
        times_us=times_us,
        weights=_weights(row, metrics, core=core),
        averages=average,
        minima=low,
        maxima=high,
    )
    return chosen_buckets(found, within(times_us, span))


def _weights(row: Row, metrics: Sequence[int], *, core: bool) -> Floats:
    """A row of weights for all metrics, or one for each where some were measured in a part of the samples."""
    if row["weight_places"] is None:
        return read_numbers(row["weights"])[np.newaxis].astype(np.float64)
    of_metrics = np.frombuffer(row["weight_places"], _PLACE)
    labelled = width_of(row["head"]) // _SIDE_BY_SIDE if row["head"] and not core else 0
    if not core:  # the labelled ones stand behind the scalar ones
        of_metrics = of_metrics[len(of_metrics) - labelled :]
    places = [int(of_metrics[one]) if one < len(of_metrics) else 0 for one in metrics]
    return read_all_numbers(row["weights"])[places].astype(np.float64)


def _times_us(rows: Sequence[Row], span: Span) -> Times:
    found = as_set([read_numbers(row["times"]) for row in rows])
    return found[within(found, span)]

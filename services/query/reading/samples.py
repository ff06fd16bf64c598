"""Samples wherever they lie: in plain rows, in sealed hours, or in both.

Of a row whose time is in a block the block counts: it was made of that row, which goes with its chunk, or the row came
again.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from flick.db.pool import Connection
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.block import (
    Buckets,
    Lags,
    Which,
    as_buckets,
    as_set,
    chosen,
    chosen_buckets,
    combine,
    joined,
    joined_buckets,
    within,
)
from services.query.reading.composition import Source, runs, sources_of
from services.query.reading.hours import Hours
from services.query.reading.levels import Levels
from services.query.reading.moments import bounds, from_us
from services.query.reading.processes import Processes
from services.query.reading.rows import NewestSample, Rows
from services.query.reading.snapshot import memory
from services.query.reading.survey import Head, Part, Survey
from services.query.reading.weights import weigh
from services.query.reading.worker import VALUE_US, Worker
from services.query.rules.catalog import Catalog
from services.query.rules.delivery import HOUR_US
from services.query.rules.levels import Level, Sources, find_sources
from services.query.rules.plan import Probe, Reading, Span, Times
from services.query.rules.points import Block, Steps
from services.query.rules.series import Cell

MAX_HELD_VALUES = 250_000  # unpacked at a time: 8 MB


class Samples:
    """Samples and processes of servers. Each method reads on a connection that sees one moment, as `snapshot` gives it.

    They raise asyncpg's errors and OSError when PostgreSQL does not answer, and DATA_LOSS when a block is damaged.

    Args:
        catalog: the built-in metrics.

    Attributes:
        snapshots: all processes of a span.
    """

    def __init__(self, *, catalog: Catalog) -> None:
        self._queries = load_queries(QUERIES)
        self._rows = Rows(catalog=catalog)
        self._worker = Worker()
        self._hours = Hours(catalog=catalog, worker=self._worker)
        self._levels = Levels(catalog=catalog, worker=self._worker)
        self.snapshots = Processes(worker=self._worker)

    async def probe(self, connection: Connection, server_id: str, span: Span, *, limit: int) -> Probe:
        """How the span begins, counted up to `limit` samples."""
        sealed = await self._sealed_times_us(connection, server_id, span, limit=limit)
        if len(sealed) >= limit:  # rows after these don't matter
            span = Span(start_us=span.start_us, end_us=int(sealed[limit - 1]) + 1)
        survey = await self._survey(connection, server_id, span)
        rows = await self._rows.times_us(connection, server_id, span, limit=limit) if survey.rows else []
        times_us = as_set([sealed, np.array(rows, np.int64)])[:limit]
        if not len(times_us):
            return Probe(rows=0)
        return Probe(rows=len(times_us), first_us=int(times_us[0]), last_us=int(times_us[-1]))

    async def samples(self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell]) -> list[Block]:
        """The values of `cells` as they were measured, by layout; of one layout in the order of time."""
        found = [blocks async for _, blocks in self._parts(connection, server_id, span, cells)]
        return joined(one for blocks in found for one in blocks)

    async def sources(self, connection: Connection, server_id: str, span: Span, probe: Probe) -> Sources:
        """What tells of the span completely, which begins as `probe` says."""
        first_us = probe.first_us if probe.rows else None
        if await self._any_before(connection, server_id, span.start_us):
            first_us = span.start_us
        return find_sources(
            start_us=span.start_us,
            first_us=first_us,
            levels=await self._levels.firsts(connection, server_id, span.end_us),
            hours=await self._levels.lacking(connection, server_id, span),
        )

    async def steps(
        self, connection: Connection, server_id: str, reading: Reading, cells: Sequence[Cell]
    ) -> list[Steps]:
        """The values of `cells`, combined by steps. A step may come in several pieces.

        Where steps are those of a level, averages are weighted by time, whatever they are made of.
        """
        found: list[Steps] = []
        if reading.level is None:
            async for _, blocks in self._parts(connection, server_id, reading.span, cells):
                found += await self._worker.run(_steps, blocks, reading)
            return found
        hours = await self._levels.lacking(connection, server_id, reading.span)
        for one in sources_of(reading.level, reading.span, hours):
            if one.level is None:
                async for _, blocks in self._parts(connection, server_id, one.span, cells):
                    found += await self._worker.run(_weighted_steps, blocks, reading)
                continue
            for part in self._levels.parts(one.level, one.span, cells):
                buckets = await self._levels.buckets(connection, server_id, one.level, part, cells)
                found += await self._worker.run_if_long(_work_us(buckets), _rolled_steps, buckets, one, reading)
        return found

    async def bucket_times_us(self, connection: Connection, server_id: str, level: Level, span: Span) -> Times:
        """When the buckets of a level begin that have samples of the span, in order, as if all were rolled up."""
        whole = span.aligned(level.bucket_us)
        found = [np.array([], np.int64)]
        hours = await self._levels.lacking(connection, server_id, whole)
        for one in sources_of(level, whole, hours):
            if one.level is None:
                found += [times_us async for times_us in self.times_us(connection, server_id, one.span)]
            else:
                times_us = await self._levels.times_us(connection, server_id, one.level, one.span)
                found.append(times_us[_shown(times_us, one)])
        return as_set([one // level.bucket_us * level.bucket_us for one in found])

    async def times_us(self, connection: Connection, server_id: str, span: Span) -> AsyncIterator[Times]:
        """When the samples of the span were measured: in parts, in order, no hour in two of them."""
        async for _, blocks in self._parts(connection, server_id, span, []):
            yield _sorted_times(blocks)

    async def any_before(self, connection: Connection, server_id: str, moment_us: int) -> bool:
        """Whether there is a sample before a moment, or a rollup of one that is gone."""
        return await self._levels.any_before(connection, server_id, moment_us) or await self._any_before(
            connection, server_id, moment_us
        )

    async def layout_ids(self, connection: Connection, server_id: str, span: Span) -> set[int]:
        """The layouts that samples of the span have. Times are read where the heads of blocks don't tell enough."""
        found: set[int] = set()
        survey = await self._survey(connection, server_id, span)
        in_rows: list[int] = []
        for part in survey.parts(most=1):  # hour by hour
            heads = survey.sealed.get(part.span.start_us // HOUR_US * HOUR_US, ())
            if not part.rows and all(
                part.span.start_us <= one.first_us and one.last_us < part.span.end_us for one in heads
            ):
                found |= {one.layout_id for one in heads}
            elif not part.blocks:
                in_rows.append(part.span.start_us // HOUR_US * HOUR_US)
            else:
                found |= {one.layout_id for one in await self._read(connection, server_id, part, [])}
        for run in runs(in_rows, HOUR_US):
            found |= await self._rows.layout_ids(connection, server_id, run.within(span))
        return found - {0}

    async def rolled_layout_ids(self, connection: Connection, server_id: str, level: Level, span: Span) -> set[int]:
        """The layouts that a level, with what completes it, has in the span; and more where a block reaches beyond."""
        found: set[int] = set()
        whole = span.aligned(level.bucket_us)
        hours = await self._levels.lacking(connection, server_id, whole)
        for one in sources_of(level, whole, hours):
            if one.level is None:
                found |= await self.layout_ids(connection, server_id, one.span)
            else:
                found |= await self._levels.layout_ids(connection, server_id, one.level, one.span)
        return found - {0}

    async def lags_us(self, connection: Connection, server_id: str, span: Span) -> list[Times]:
        """How long after their times the samples of the span came, in microseconds: in parts, each of them sorted."""
        found: list[Times] = []
        for part in (await self._survey(connection, server_id, span)).parts(most=MAX_HELD_VALUES):
            blocks = await self._hours.lags(connection, server_id, part.span) if part.blocks else []
            rows = await self._rows.lags(connection, server_id, part.span) if part.rows else None
            found += await self._worker.run(_lags, part.span, blocks, rows)
        return found

    async def newest(
        self, connection: Connection, server_ids: Sequence[str], after_us: int
    ) -> Mapping[str, NewestSample]:
        """The newest sample of each server that has one after a moment."""
        found = dict(await self._rows.newest(connection, server_ids, after_us))
        blocks = await self._hours.newest_blocks(connection, server_ids, after_us)
        sealed = {
            one: block for one, block in blocks.items() if one not in found or block.time_us >= found[one].time_us
        }
        if sealed:
            found.update(await self._hours.last_samples(connection, sealed))
        return found

    async def newest_times_us(
        self, connection: Connection, server_ids: Sequence[str], after_us: int
    ) -> Mapping[str, int]:
        """When the newest sample of each server that has one after a moment was measured."""
        found = dict(await self._rows.newest_times_us(connection, server_ids, after_us))
        for server_id, block in (await self._hours.newest_blocks(connection, server_ids, after_us)).items():
            found[server_id] = max(block.time_us, found.get(server_id, 0))
        return found

    async def processes(self, connection: Connection, server_id: str, span: Span) -> tuple[int, bytes] | None:
        """The last snapshot of processes within the span: its time and packed processes."""
        row = await self._rows.processes(connection, server_id, span)
        sealed = await self._hours.processes(connection, server_id, span)
        return sealed if sealed and (row is None or sealed[0] >= row[0]) else row

    async def _any_before(self, connection: Connection, server_id: str, moment_us: int) -> bool:
        hour = from_us(moment_us // HOUR_US * HOUR_US)
        found: bool = await connection.fetchval(self._queries["sample_before"], server_id, from_us(moment_us), hour)
        return found

    async def _survey(self, connection: Connection, server_id: str, span: Span) -> Survey:
        hours, known = span.aligned(HOUR_US), memory()
        if (server_id, hours) not in known:
            known[server_id, hours] = await self._survey_hours(connection, server_id, hours)
        found: Survey = replace(known[server_id, hours], span=span)
        return found

    async def _survey_hours(self, connection: Connection, server_id: str, span: Span) -> Survey:
        found = await connection.fetch(self._queries["survey"], server_id, *bounds(span))
        sealed: dict[int, list[Head]] = {}
        for row in found:
            if row["layout_id"] is not None:
                sealed.setdefault(row["hour_us"], []).append(Head(*row))
        rows = {row["hour_us"]: row["size"] for row in found if row["layout_id"] is None}
        return Survey(span=span, sealed=sealed, rows=rows)

    async def _sealed_times_us(self, connection: Connection, server_id: str, span: Span, *, limit: int) -> Times:
        """The times of the span's first samples in sealed hours, in order: `limit` of them, some more, or all."""
        found = np.array([], np.int64)
        survey = replace(await self._survey(connection, server_id, span), rows={})
        for part in survey.parts(most=limit):
            blocks = await self._read(connection, server_id, part, [])
            found = np.concatenate([found, _sorted_times(blocks)])
            if len(found) >= limit:
                break
        return found

    async def _parts(
        self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell]
    ) -> AsyncIterator[tuple[Part, list[Block]]]:
        """What the span holds, in parts of which each is small, in the order of time."""
        survey = await self._survey(connection, server_id, span)
        for part in survey.parts(most=MAX_HELD_VALUES // (len(cells) + 1)):
            yield part, await self._read(connection, server_id, part, cells)

    async def _read(self, connection: Connection, server_id: str, part: Part, cells: Sequence[Cell]) -> list[Block]:
        """The samples of a part, in as many blocks as there are."""
        blocks: list[Block] = []
        if part.blocks and cells:
            blocks = await self._hours.blocks(connection, server_id, part.span, cells)
        elif part.blocks:
            blocks = await self._hours.times(connection, server_id, part.span)
        rows = await self._rows.blocks(connection, server_id, part.span, cells) if part.rows else []
        return await self._worker.run(_present, part.span, blocks, rows)


def _present(span: Span, blocks: Sequence[Block], rows: Sequence[Block]) -> list[Block]:
    """The samples of the span that are in blocks, and the rows that are not in blocks."""
    inside = [chosen(one, within(one.times_us, span)) for one in blocks]
    if blocks and rows:
        sealed = _sorted_times(inside)
        rows = [chosen(one, ~np.isin(one.times_us, sealed)) for one in rows]
    return [one for one in (*inside, *rows) if len(one.times_us)]


def _sorted_times(blocks: Sequence[Block]) -> Times:
    times_us = np.concatenate([np.array([], np.int64), *(one.times_us for one in blocks)])
    times_us.sort()
    return times_us


def _steps(blocks: Iterable[Block], reading: Reading) -> list[Steps]:
    return [
        combine(as_buckets(one, np.ones(len(one.times_us))), reading.begins_us(one.times_us)) for one in joined(blocks)
    ]


def _weighted_steps(blocks: Sequence[Block], reading: Reading) -> list[Steps]:
    """Steps of samples of whole hours, by how long each sample stands for."""
    times_us = _sorted_times(blocks)
    weights = weigh(times_us).astype(np.float64)
    found = []
    for one in joined(blocks):
        buckets = as_buckets(one, weights[np.searchsorted(times_us, one.times_us)])
        buckets = chosen_buckets(buckets, within(one.times_us, reading.span))
        if len(buckets.times_us):
            found.append(combine(buckets, reading.begins_us(buckets.times_us)))
    return found


def _rolled_steps(blocks: Iterable[Buckets], source: Source, reading: Reading) -> list[Steps]:
    shown = [chosen_buckets(one, _shown(one.times_us, source)) for one in blocks]
    return [combine(one, reading.begins_us(one.times_us)) for one in joined_buckets(shown)]


def _work_us(buckets: Sequence[Buckets]) -> float:
    return VALUE_US * sum(one.averages.size for one in buckets)


def _shown(times_us: Times, source: Source) -> Which:
    """Which buckets of a source have no hour that another one has."""
    if not source.without or source.level is None:
        return slice(None)
    length_us = max(source.level.bucket_us, HOUR_US)
    return ~np.isin(times_us // length_us * length_us, list(source.without))


def _lags(span: Span, blocks: Sequence[Lags], rows: Lags | None) -> list[Times]:
    found = [one.lags_us[within(one.times_us, span)] for one in blocks]
    if rows is not None:
        sealed = np.concatenate([np.array([], np.int64), *(one.times_us for one in blocks)])
        found.append(rows.lags_us[~np.isin(rows.times_us, sealed)])
    return [np.sort(one) for one in found]

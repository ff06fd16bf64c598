"""Samples wherever they lie: in plain rows, in sealed hours, or in both.

Of a row whose time is in a block the block counts: it was made of that row, which goes with its chunk, or the row came
again. In hours that have blocks rows are mostly few and are read one by one; elsewhere PostgreSQL combines them.
"""

from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import TypeVar

from flick.db.pool import Connection
from services.query.reading.block import Block, merge_steps, sample_rows, step_rows, to_blocks
from services.query.reading.hours import Hours, Lags
from services.query.reading.processes import Processes
from services.query.reading.rows import LateRow, NewestSample, Rows
from services.query.reading.survey import Survey
from services.query.reading.worker import Worker
from services.query.rules.catalog import Catalog
from services.query.rules.delivery import HOUR_US
from services.query.rules.plan import Probe, Span
from services.query.rules.points import SampleRow, StepRow
from services.query.rules.series import Cell

MAX_HELD_VALUES = 250_000  # of sealed hours, unpacked at a time: 8 MB

R = TypeVar("R", SampleRow, LateRow)


class Samples:
    """Samples and processes of servers. Each method reads on a connection that sees one moment, as `snapshot` gives it.

    They raise asyncpg's errors and OSError when PostgreSQL does not answer, and DATA_LOSS when a block is damaged.

    Args:
        catalog: the built-in metrics.

    Attributes:
        snapshots: all processes of a span.
    """

    def __init__(self, *, catalog: Catalog) -> None:
        self._rows = Rows(catalog=catalog)
        self._worker = Worker()
        self._hours = Hours(catalog=catalog, worker=self._worker)
        self.snapshots = Processes(worker=self._worker)

    async def probe(self, connection: Connection, server_id: str, span: Span, *, limit: int) -> Probe:
        """How the span begins, counted up to `limit` samples."""
        sealed = await self._sealed_times_us(connection, server_id, span, limit=limit)
        if len(sealed) >= limit:  # rows after these don't matter
            span = Span(start_us=span.start_us, end_us=sealed[limit - 1] + 1)
        rows = await self._rows.times_us(connection, server_id, span, limit=limit)
        times_us = sorted({*sealed, *rows})[:limit]
        if not times_us:
            return Probe(rows=0)
        return Probe(rows=len(times_us), first_us=times_us[0], last_us=times_us[-1])

    async def samples(
        self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell]
    ) -> list[SampleRow]:
        """The values of `cells` as they were measured, in the order of time."""
        found: list[SampleRow] = []
        survey = await self._survey(connection, server_id, span)
        for stretch in survey.stretches():
            if not stretch.sealed:
                found += await self._rows.samples(connection, server_id, stretch.span, cells)
                continue
            async for part, blocks in self._blocks(connection, server_id, survey, stretch.span, cells):
                found += await self._worker.run(_samples, part, blocks)
        return found

    async def steps(
        self, connection: Connection, server_id: str, span: Span, cells: Sequence[Cell], *, step_us: int
    ) -> list[StepRow]:
        """The values of `cells`, combined by steps, in the order of time. A step may come as several rows."""
        found: list[StepRow] = []
        survey = await self._survey(connection, server_id, span)
        for stretch in survey.stretches():
            if not stretch.sealed:
                found += await self._rows.steps(connection, server_id, stretch.span, cells, step_us=step_us)
                continue
            async for part, blocks in self._blocks(connection, server_id, survey, stretch.span, cells):
                found += await self._worker.run(_steps, part, blocks, step_us)
        return sorted(found, key=lambda row: row.time)

    async def times_us(self, connection: Connection, server_id: str, span: Span) -> AsyncIterator[Sequence[int]]:
        """When the samples of the span were measured: in parts, in order, no hour in two of them."""
        survey = await self._survey(connection, server_id, span)
        for stretch in survey.stretches():
            if not stretch.sealed:
                async for times_us in self._rows.hourly_times_us(connection, server_id, stretch.span):
                    yield times_us
                continue
            for part in survey.parts(stretch.span, most=MAX_HELD_VALUES):
                blocks = await self._hours.times(connection, server_id, part)
                late = await self._rows.late(connection, server_id, part) if survey.has_rows(part) else []
                yield await self._worker.run(_times_us, part, blocks, late)

    async def any_before(self, connection: Connection, server_id: str, moment_us: int) -> bool:
        """Whether there is a sample before a moment."""
        return await self._hours.any_before(connection, server_id, moment_us) or await self._rows.any_before(
            connection, server_id, moment_us
        )

    async def layout_ids(self, connection: Connection, server_id: str, span: Span) -> set[int]:
        """The layouts that samples of the span have."""
        found: set[int] = set()
        survey = await self._survey(connection, server_id, span)
        for stretch in survey.stretches():
            if not stretch.sealed:
                found |= await self._rows.layout_ids(connection, server_id, stretch.span)
                continue
            found |= await self._sealed_layout_ids(connection, server_id, survey, stretch.span)
        return found - {0}

    async def lags_us(self, connection: Connection, server_id: str, span: Span) -> list[Sequence[int]]:
        """How long after their times the samples of the span came, in microseconds: in parts, each of them sorted."""
        found: list[Sequence[int]] = []
        survey = await self._survey(connection, server_id, span)
        for stretch in survey.stretches():
            if not stretch.sealed:
                found += await self._rows.lags_us(connection, server_id, stretch.span)
                continue
            for part in survey.parts(stretch.span, most=MAX_HELD_VALUES):
                blocks = await self._hours.lags(connection, server_id, part)
                late = await self._rows.late(connection, server_id, part) if survey.has_rows(part) else []
                found += await self._worker.run(_lags, part, blocks, late)
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
        """The last snapshot of processes within the span: its time in microseconds and packed processes."""
        row = await self._rows.processes(connection, server_id, span)
        sealed = await self._hours.processes(connection, server_id, span)
        return sealed if sealed and (row is None or sealed[0] >= row[0]) else row

    async def _survey(self, connection: Connection, server_id: str, span: Span) -> Survey:
        sealed = await self._hours.heads(connection, server_id, span)
        rows: dict[int, int] = {}
        if sealed:
            start_us, end_us = max(min(sealed), span.start_us), min(max(sealed) + HOUR_US, span.end_us)
            rows = await self._rows.hours(connection, server_id, Span(start_us=start_us, end_us=end_us))
        return Survey(span=span, sealed=sealed, rows=rows)

    async def _sealed_times_us(self, connection: Connection, server_id: str, span: Span, *, limit: int) -> list[int]:
        """The times of the span's first samples in sealed hours, in order: `limit` of them, some more, or all."""
        found: list[int] = []
        survey = Survey(span=span, sealed=await self._hours.heads(connection, server_id, span), rows={})
        for part in survey.parts(span, most=limit):
            blocks = await self._hours.times(connection, server_id, part)
            found += sorted(time_us for one in blocks for time_us in one.times_within(part))
            if len(found) >= limit:
                break
        return found

    async def _sealed_layout_ids(
        self, connection: Connection, server_id: str, survey: Survey, stretch: Span
    ) -> set[int]:
        """The layouts in a stretch of sealed hours. Times are read where the heads of the blocks don't tell enough."""
        found: set[int] = set()
        for part in survey.parts(stretch, most=1):  # hour by hour
            heads = survey.sealed[part.start_us // HOUR_US * HOUR_US]
            whole = all(part.start_us <= one.first_us and one.last_us < part.end_us for one in heads)
            if whole and not survey.has_rows(part):
                found |= {one.layout_id for one in heads}
                continue
            blocks = await self._hours.times(connection, server_id, part)
            late = await self._rows.late(connection, server_id, part)
            found |= {one.layout_id for one in blocks if one.times_within(part)}
            found |= {one.layout_id for one in _only_new(late, blocks)}
        return found

    async def _blocks(
        self, connection: Connection, server_id: str, survey: Survey, stretch: Span, cells: Sequence[Cell]
    ) -> AsyncIterator[tuple[Span, list[Block]]]:
        """What a stretch of sealed hours holds, with its rows that are no copies, in parts of which each is small."""
        for part in survey.parts(stretch, most=MAX_HELD_VALUES // (len(cells) + 1)):
            blocks = await self._hours.blocks(connection, server_id, part, cells)
            if survey.has_rows(part):
                late = await self._rows.samples(connection, server_id, part, cells)
                blocks += to_blocks(_only_new(late, blocks), width=len(cells))
            yield part, blocks


def _samples(span: Span, blocks: Iterable[Block]) -> list[SampleRow]:
    return sorted((row for one in blocks for row in sample_rows(one, span)), key=lambda row: row.time_us)


def _steps(span: Span, blocks: Iterable[Block], step_us: int) -> list[StepRow]:
    return merge_steps(row for one in blocks for row in step_rows(one, span, step_us=step_us))


def _times_us(span: Span, blocks: Iterable[Block], late: Sequence[LateRow]) -> Sequence[int]:
    parts = [times_us for one in blocks if (times_us := one.times_within(span))]
    if not late and all(one[-1] < after[0] for one, after in pairwise(parts)):  # as it mostly is
        return list(chain.from_iterable(parts))
    return sorted({row.time_us for row in late}.union(*parts))


def _lags(span: Span, blocks: Sequence[Lags], late: Sequence[LateRow]) -> list[Sequence[int]]:
    found: list[Sequence[int]] = []
    for one in blocks:
        begin = bisect_left(one.times_us, span.start_us)
        found.append(array("q", sorted(one.lags_us[begin : bisect_left(one.times_us, span.end_us)])))
    return [*found, sorted(row.lag_us for row in _only_new(late, blocks))]


def _only_new(rows: Sequence[R], blocks: Iterable[Block | Lags]) -> list[R]:
    """The rows whose time is in no block."""
    if not rows:
        return []
    times_us = {time_us for one in blocks for time_us in one.times_us}
    return [row for row in rows if row.time_us not in times_us]

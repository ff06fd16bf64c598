"""Collects the points of a server's series: core columns and labelled arrays, read and put together.

The points of a large answer take a tenth of a second to put together, which is done in a thread, so that viewers'
streams go on meanwhile.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.query.custom.pushed import pushed_id
from services.query.reading.worker import VALUE_US, aside_if_long
from services.query.rules.catalog import Selector
from services.query.rules.levels import HOURS, SAMPLES, Level, Sources
from services.query.rules.plan import Probe, Reading, Span, plan_points, plan_reading, tells_all
from services.query.rules.points import Points, collect_samples, collect_steps, columns_of
from services.query.rules.series import Cell, Layout, Series, cells_of, find_series
from services.query.store import Store


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a server has in a span: how it begins, what tells of it, and the series that are asked for."""

    span: Span
    probe: Probe
    sources: Sources
    series: Sequence[Series]

    def reading(
        self, points: int, now_us: int, *, reads: int, as_measured: bool = True, sources: Sources | None = None
    ) -> Reading:
        """How it is read, as one of `reads` readings, at most `points` points a series. Raises as `plan_reading`.

        `sources` are others than its own, when it is read beside another span.
        """
        return plan_reading(
            span=self.span,
            points=points,
            series=len(self.series),
            probe=self.probe,
            now_us=now_us,
            reads=reads,
            as_measured=as_measured,
            sources=self.sources if sources is None else sources,
        )


class Collector:
    """Series and points of one server after the other. Raises as `flick.db.pool` says.

    Args:
        store: where samples are read.
    """

    def __init__(self, *, store: Store) -> None:
        self._store = store

    @asynccontextmanager
    async def one_moment(self) -> AsyncIterator[None]:
        """Whatever is collected while entered, one after the other, is as it is at one moment."""
        async with self._store.one_moment():
            yield

    async def series(
        self, server_id: str, selectors: Sequence[Selector], span: Span, *, level: Level | None = None
    ) -> list[Series]:
        """The series of `selectors` that the server's samples, or a level of them, have in the span.

        Raises INVALID_ARGUMENT for too many layouts.
        """
        layouts: Mapping[int, Layout] = {}
        if not all(one.column for one in selectors):
            layouts = await self._store.layouts(server_id, span, level)
        pushed: Mapping[int, Layout] = {}
        for source in _pushed_sources(server_id, any(one.custom for one in selectors)):
            pushed = await self._store.layouts(source, span, level)
        return find_series(selectors, {**layouts, **pushed}, pushed=pushed)

    async def survey(
        self, server_id: str, selectors: Sequence[Selector], *, span: Span, max_points: int, now_us: int, alone: bool
    ) -> Found:
        """What is there to be read. Raises INVALID_ARGUMENT when it is too much, whatever the labels.

        Where nothing else is read beside it (`alone`), less has to be found out.
        """
        points = plan_points(max_points=max_points, series=1)
        source, probe = server_id, await self._store.probe(server_id, span, limit=points + 1)
        for pushed in _pushed_sources(server_id, any(one.custom for one in selectors)):
            other = await self._store.probe(pushed, span, limit=points + 1)
            if other.rows > probe.rows:  # what has more samples says how both are read
                source, probe = pushed, other
        sources = SAMPLES
        if not (alone and tells_all(probe, span, points)):
            sources = await self._store.sources(source, span, probe)
        reading = plan_reading(span=span, points=points, series=1, probe=probe, now_us=now_us, sources=sources)
        level = min(reading.level, HOURS) if reading.level and HOURS in sources.levels else reading.level
        series = await self.series(server_id, selectors, span, level=level)
        return Found(span=span, probe=probe, sources=sources, series=series)

    async def points(self, server_id: str, reading: Reading, series: Sequence[Series]) -> list[Points]:
        """The points of each of `series`."""
        collected = [Points(series=one) for one in series]
        for core in (True, False):
            await self._collect(server_id, reading, collected, cells_of(series, core=core))
        for source in _pushed_sources(server_id, any(one.pushed for one in series)):
            await self._collect(source, reading, collected, cells_of(series, core=False))
        return collected

    async def _collect(
        self, server_id: str, reading: Reading, collected: Sequence[Points], cells: Sequence[Cell]
    ) -> None:
        if not cells:
            return
        columns = columns_of(collected, cells)
        if reading.step_us is None:
            samples = await self._store.samples(server_id, reading.span, cells)
            values = sum(one.values.size for one in samples)
            await aside_if_long(values * VALUE_US, collect_samples, samples, columns)
        else:
            steps = await self._store.steps(server_id, reading, cells)
            values = sum(one.totals.size for one in steps)
            await aside_if_long(values * VALUE_US, collect_steps, steps, columns)


def _pushed_sources(server_id: str, wanted: bool) -> list[str]:
    """Under which id else the server has samples that are wanted: none, or that of what was pushed."""
    source = pushed_id(server_id) if wanted else None
    return [source] if source else []

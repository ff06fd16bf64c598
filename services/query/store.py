"""Reads the schema `telemetry`, which ingest writes; query itself writes nothing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from flick.db.pool import Pool
from flick.errors import invalid
from services.query.layouts import Layouts
from services.query.reading.processes import Take
from services.query.reading.samples import Samples
from services.query.reading.snapshot import snapshot
from services.query.rules.levels import Level, Sources
from services.query.rules.measured import Measured
from services.query.rules.plan import Probe, Reading, Span
from services.query.rules.points import Block, Steps
from services.query.rules.series import Cell, Layout

# Of one answer's layouts: some 4,000 of a hundred series, or 200 of the largest. A broken agent declares without end.
MAX_LAYOUT_BYTES = 4 * 1024 * 1024


class Store:
    """Samples and processes in PostgreSQL, each method as they are at one moment. Raises as `flick.db.pool` says.

    Args:
        pool: connections as role flick_query.
        samples: how they are read, wherever they lie.
        layouts: what the stored layout ids mean.
    """

    def __init__(self, *, pool: Pool, samples: Samples, layouts: Layouts) -> None:
        self._pool = pool
        self._samples = samples
        self._layouts = layouts

    @asynccontextmanager
    async def one_moment(self) -> AsyncIterator[None]:
        """Whatever is read while entered, one after the other, is read as it is at one moment."""
        async with snapshot(self._pool):
            yield

    async def probe(self, server_id: str, span: Span, *, limit: int) -> Probe:
        """How the span begins, counted up to `limit` samples."""
        async with snapshot(self._pool) as connection:
            return await self._samples.probe(connection, server_id, span, limit=limit)

    async def sources(self, server_id: str, span: Span, probe: Probe) -> Sources:
        """What tells of the span completely, which begins as `probe` says."""
        async with snapshot(self._pool) as connection:
            return await self._samples.sources(connection, server_id, span, probe)

    async def samples(self, server_id: str, span: Span, cells: Sequence[Cell]) -> list[Block]:
        """The values of `cells`, either core columns or elements of the labelled array, as they were measured."""
        async with snapshot(self._pool) as connection:
            return await self._samples.samples(connection, server_id, span, cells)

    async def steps(self, server_id: str, reading: Reading, cells: Sequence[Cell]) -> list[Steps]:
        """The values of `cells`, combined by the steps of `reading`. A step may come in several pieces."""
        async with snapshot(self._pool) as connection:
            return await self._samples.steps(connection, server_id, reading, cells)

    async def layouts(self, server_id: str, span: Span, level: Level | None = None) -> Mapping[int, Layout]:
        """The layouts that samples of the span have; or a level of them, some of which may be of beside the span.

        Raises INVALID_ARGUMENT when there are too many to read.
        """
        async with snapshot(self._pool) as connection:
            if level is None:
                layout_ids = await self._samples.layout_ids(connection, server_id, span)
            else:
                layout_ids = await self._samples.rolled_layout_ids(connection, server_id, level, span)
        if await self._layouts.size_bytes(layout_ids) > MAX_LAYOUT_BYTES:
            raise invalid("start_time", "reaches over too many changes of what was measured; ask for a shorter span.")
        return await self._layouts.get(layout_ids)

    async def newest_samples(self, server_ids: Sequence[str], after_us: int) -> Mapping[str, Measured]:
        """The newest sample of each server that has one after a moment."""
        async with snapshot(self._pool) as connection:
            found = await self._samples.newest(connection, server_ids, after_us)
        layouts = await self._layouts.get([one.layout_id for one in found.values() if one.layout_id])
        return {
            server_id: Measured(
                time_us=one.time_us, core=one.core, layout=layouts.get(one.layout_id, ()), labelled=one.labelled
            )
            for server_id, one in found.items()
        }

    async def newest_times(self, server_ids: Sequence[str], after_us: int) -> Mapping[str, int]:
        """When the newest sample of each server that has one after a moment was measured, in microseconds."""
        async with snapshot(self._pool) as connection:
            return await self._samples.newest_times_us(connection, server_ids, after_us)

    async def processes(self, server_id: str, span: Span) -> tuple[int, bytes] | None:
        """The last snapshot of processes within the span: its time in microseconds and packed processes."""
        async with snapshot(self._pool) as connection:
            return await self._samples.processes(connection, server_id, span)

    async def count_processes(self, server_id: str, span: Span) -> int:
        """How many snapshots of processes the span has, and the rest of the hours that it touches, at most."""
        async with snapshot(self._pool) as connection:
            return await self._samples.snapshots.count(connection, server_id, span)

    async def each_processes(self, server_id: str, span: Span, take: Take) -> int:
        """Hand every snapshot of processes of the span to `take`, in a thread; returns how many there were."""
        async with snapshot(self._pool) as connection:
            return await self._samples.snapshots.each(connection, server_id, span, take)

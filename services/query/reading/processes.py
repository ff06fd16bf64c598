"""Every snapshot of processes in a span, wherever it lies: rows, sealed hours, or both. Few are held at a time."""

from collections.abc import Callable, Sequence

from flick.db.pool import Connection, Row
from flick.db.queries import load_queries
from services.query.layouts import QUERIES
from services.query.reading.block import within
from services.query.reading.moments import bounds, from_us
from services.query.reading.packed import read_blobs, read_numbers
from services.query.reading.worker import Worker
from services.query.rules.delivery import HOUR_US
from services.query.rules.plan import Span

AT_ONCE = 500  # snapshots of 20 processes: 1.5 MB, and 30 ms to take in

Take = Callable[[Sequence[bytes]], None]


class Processes:
    """The tables of processes.

    Raises asyncpg's errors and OSError when PostgreSQL does not answer, and DATA_LOSS when something is damaged.

    Args:
        worker: unpacks, and has what is found taken in.
    """

    def __init__(self, *, worker: Worker) -> None:
        self._worker = worker
        self._queries = load_queries(QUERIES)

    async def count(self, connection: Connection, server_id: str, span: Span) -> int:
        """How many snapshots there are in the span and in the rest of the hours that it touches, at most."""
        found: int = await connection.fetchval(
            self._queries["processes_count"], server_id, *bounds(span), from_us(span.start_us // HOUR_US * HOUR_US)
        )
        return found

    async def each(self, connection: Connection, server_id: str, span: Span, take: Take) -> int:
        """Hand every snapshot of the span to `take`, in a thread, some at a time; returns how many there were."""
        hour = from_us(span.start_us // HOUR_US * HOUR_US)
        sealed: set[int] = set()
        count = 0
        async for row in connection.cursor(self._queries["hour_processes"], server_id, *bounds(span), hour, prefetch=1):
            times_us, snapshots = await self._worker.run(_within, row, span)
            sealed.update(times_us)
            count += len(snapshots)
            await self._take(snapshots, take)
        held: list[bytes] = []
        rows = connection.cursor(self._queries["row_each_processes"], server_id, *bounds(span), prefetch=AT_ONCE)
        async for time_us, snapshot in rows:
            if time_us in sealed:  # the block counts
                continue
            held.append(snapshot)
            count += 1
            if len(held) == AT_ONCE:
                await self._take(held, take)
                held = []
        await self._take(held, take)
        return count

    async def _take(self, snapshots: Sequence[bytes], take: Take) -> None:
        for begin in range(0, len(snapshots), AT_ONCE):
            await self._worker.run(take, snapshots[begin : begin + AT_ONCE])


def _within(row: Row, span: Span) -> tuple[Sequence[int], Sequence[bytes]]:
    """The times of a block and its snapshots, those that lie in the span."""
    times_us = read_numbers(row["times"])
    inside = within(times_us, span)
    return times_us[inside].tolist(), read_blobs(row["snapshots"])[inside]

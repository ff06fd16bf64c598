"""What pushes write: samples of the server's second source, and what each series is now. One transaction each."""

import math
import struct
import uuid
from array import array
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flick.columns import unpack
from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from services.ingest.push.reading import Point, SeriesId
from services.ingest.push.samples import Count, Stored, digest_of, layout_of
from services.ingest.store import Store

_EPOCH = datetime.fromtimestamp(0, tz=UTC)
_HOUR_MS = 3_600_000


class PushStore:
    """Opens transactions, in which one source is changed by nobody else.

    Args:
        pool: connections as role flick_ingest.
        store: knows whether a commit is durable.
    """

    def __init__(self, *, pool: Pool, store: Store) -> None:
        self._pool = pool
        self._store = store
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))

    @asynccontextmanager
    async def changing(self, source: uuid.UUID, organization_id: uuid.UUID) -> AsyncIterator["Change"]:
        """A transaction, committed on leaving. Raises as `flick.db.pool` says, NotDurableError and asyncpg's errors."""
        async with self._pool.acquire() as connection:
            await self._store.require_durable(connection)
            async with connection.transaction():
                await connection.execute(self._queries["lock_source"], source)
                yield Change(connection, self._queries, source, organization_id)


class Change:
    """What is known of a source and changed in it, within one transaction."""

    def __init__(
        self, connection: Connection, queries: Mapping[str, str], source: uuid.UUID, organization_id: uuid.UUID
    ) -> None:
        self._connection = connection
        self._queries = queries
        self._source = source
        self._organization_id = organization_id

    async def count_series(self) -> int:
        """How many series the source has."""
        found: int = await self._connection.fetchval(self._queries["count_series"], self._source)
        return found

    async def forget_series(self, *, before_ms: int) -> None:
        """Forget the series whose newest value is older."""
        await self._connection.execute(self._queries["forget_series"], self._source, _moment(before_ms * 1000))

    async def find_series(self, series: Collection[SeriesId]) -> dict[SeriesId, Count]:
        """What was pushed last of those of the series that there are."""
        digests = {digest_of(one): one for one in series}
        rows = await self._connection.fetch(self._queries["find_series"], self._source, list(digests))
        return {digests[row["digest"]]: Count(row["time_ms"], row["pushed"]) for row in rows}

    async def keep_series(self, points: Sequence[Point], values: Mapping[SeriesId, float]) -> None:
        """What series are now; `values` as they are stored, NaN where there is none."""
        if points:
            await self._connection.execute(
                self._queries["keep_series"],
                self._source,
                self._organization_id,
                [digest_of(one.series.id) for one in points],
                [layout_of([one.series]).SerializeToString() for one in points],
                [_moment(one.time_ms * 1000) for one in points],
                [values.get(one.series.id, math.nan) for one in points],
                [one.value for one in points],
            )

    async def find_samples(self, times_ms: Sequence[int], *, now_ms: int) -> dict[int, list[Stored]]:
        """The samples that there are within each of these milliseconds, wherever they lie.

        Rows are read before blocks: a row that is gone by then lies in a block by then.
        """
        moments = [_moment(time_ms * 1000) for time_ms in times_ms]
        rows = await self._connection.fetch(self._queries["find_rows"], self._source, moments)
        stored = [Stored(row["time_us"], row["layout_id"], _read(row["labelled"])) for row in rows]
        over = {time_ms // _HOUR_MS * _HOUR_MS for time_ms in times_ms if time_ms // _HOUR_MS < now_ms // _HOUR_MS}
        hours = [_moment(hour_ms * 1000) for hour_ms in over]
        wanted = set(times_ms)
        for block in await self._connection.fetch(self._queries["find_blocks"], self._source, hours):
            stored += _within(block["layout_id"], block["times"], block["labelled"], wanted)
        found: dict[int, list[Stored]] = {}
        for one in stored:
            found.setdefault(one.time_us // 1000, []).append(one)
        return found

    async def add_samples(self, samples: Sequence[Stored], *, received_ms: int) -> None:
        """Store samples at moments that are free."""
        received_at = _moment(received_ms * 1000)
        await self._connection.executemany(
            self._queries["add_sample"],
            [
                (
                    self._source,
                    self._organization_id,
                    _moment(one.time_us),
                    received_at,
                    one.layout_id,
                    _packed(one),
                )
                for one in samples
            ],
        )


def _within(layout_id: int, times: bytes, labelled: bytes | None, wanted_ms: Collection[int]) -> list[Stored]:
    """The samples of a block that lie within some milliseconds."""
    (times_us,) = unpack(times)
    rows = [row for row, time_us in enumerate(times_us) if time_us // 1000 in wanted_ms]
    columns: Sequence[array[float]] = unpack(labelled) if rows and labelled else ()
    return [Stored(times_us[row], layout_id, [_known(column[row]) for column in columns]) for row in rows]


def _packed(sample: Stored) -> bytes:
    return b"".join(struct.pack(">f", math.nan if value is None else value) for value in sample.values)


def _read(labelled: bytes) -> list[float | None]:
    return [_known(value) for (value,) in struct.iter_unpack(">f", labelled)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)

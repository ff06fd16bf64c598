"""Streams samples as they were measured, however many: a part is read, written, and forgotten before the next.

Each part is a read of its own at one moment and passes the gate; while the caller takes its time, nothing is held in
PostgreSQL. A sample is at one time and so in one part, whatever is sealed meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from google.api.httpbody_pb2 import HttpBody

from flick.clock import Clock
from flick.errors import FlickError, Kind, invalid
from flick.rpc.access.caller import Caller
from services.query.access import Access
from services.query.answers.advice import advice_on_timeout
from services.query.answers.collector import Collector
from services.query.answers.gate import RETRY_AFTER_S, Gate
from services.query.custom.pushed import pushed_id
from services.query.metrics import QueryMetrics
from services.query.rules.catalog import Catalog
from services.query.rules.plan import MAX_NAMES, Probe, Span, plan_span
from services.query.rules.points import Block
from services.query.rules.series import Cell, Series, cells_of
from services.query.rules.table import Form, Row, find_form, join_rows, pieces
from services.query.rules.zones import find_zone
from services.query.store import Store

PART_VALUES = 100_000  # some 10 MB while they are put together
PART_ROWS = 10_000
MAX_EXPORTS = 8  # at a time in this process, 80 MB
MAX_EXPORTS_OF_USER = 2  # so that one who does not read on keeps nobody else from it
MAX_COLUMNS = 5_000
_ADVICE = "Reading this part takes too long. Try again later, or ask for fewer names."


@dataclass(frozen=True, kw_only=True)
class ExportQuestion:
    """What is asked, as `ExportMetricsRequest` describes it; times in microseconds, None where they are unset."""

    server_id: str
    names: Sequence[str]
    start_us: int | None
    end_us: int | None
    format: str
    time_zone: str


class Export:
    """Samples of servers as files.

    Args:
        store: where samples are read.
        collector: finds the series.
        access: tells whether the caller still may.
        catalog: the built-in metrics.
        gate: bounds how many parts are read at once.
        clock: tells which moment `now` is.
        metrics: told of exports that are open.
    """

    def __init__(
        self,
        *,
        store: Store,
        collector: Collector,
        access: Access,
        catalog: Catalog,
        gate: Gate,
        clock: Clock,
        metrics: QueryMetrics,
    ) -> None:
        self._store = store
        self._collector = collector
        self._access = access
        self._catalog = catalog
        self._gate = gate
        self._clock = clock
        self._metrics = metrics
        self._users: Counter[str] = Counter()

    async def stream(self, asked: ExportQuestion, *, caller: Caller) -> AsyncGenerator[HttpBody, None]:
        """The file in pieces. Raises INVALID_ARGUMENT naming the field, RESOURCE_EXHAUSTED when too busy."""
        if not 1 <= len(asked.names) <= MAX_NAMES:
            raise invalid(
                "names", f"holds {len(asked.names)} names; give 1 to {MAX_NAMES} metric names of the catalogue."
            )
        selectors = self._catalog.resolve(asked.names)
        form = find_form(asked.format, find_zone(asked.time_zone))
        now_us = self._clock.time_unix_nano() // 1000
        span = plan_span(start_us=asked.start_us, end_us=asked.end_us, now_us=now_us)
        with self._open(caller):
            async with self._gate.entered(), advice_on_timeout(_ADVICE):
                series = await self._collector.series(asked.server_id, selectors, span)
            if len(series) > MAX_COLUMNS:
                raise invalid("names", f"stand for {len(series)} series, more than {MAX_COLUMNS}; ask for fewer names.")
            yield HttpBody(content_type=form.content_type, data=form.head(series).encode())
            rest: Span | None = span
            while rest:
                await self._access.confirm(caller, [asked.server_id])
                async with self._gate.entered(), advice_on_timeout(_ADVICE):
                    texts, rest = await self._part(asked.server_id, rest, series, form)
                for text in texts:
                    yield HttpBody(data=text)

    async def _part(
        self, server_id: str, span: Span, series: Sequence[Series], form: Form
    ) -> tuple[Sequence[bytes], Span | None]:
        """The text of as many samples as are read at a time, and the rest of the span, if there is any."""
        most = max(1, min(PART_ROWS, PART_VALUES // (len(series) + 1)))
        pushed = pushed_id(server_id) if any(one.pushed for one in series) else None
        sources = [server_id, pushed] if pushed else [server_id]
        probes = [await self._store.probe(one, span, limit=most) for one in sources]
        part, rest = _first_part(span, [one for one in probes if one.rows], most=most)
        if part is None or not series:
            return [], None
        read: list[tuple[Sequence[Cell], Sequence[Block]]] = []
        for core in (True, False):
            cells = cells_of(series, core=core)
            holding = sources[:1] if core else sources
            read += [(cells, await self._store.samples(one, part, cells)) for one in holding if cells]
        rows: Sequence[Row] = await asyncio.to_thread(join_rows, series, read)
        return await asyncio.to_thread(pieces, form, rows, columns=len(series)), rest

    @contextmanager
    def _open(self, caller: Caller) -> Iterator[None]:
        """Count an export while entered. Raises RESOURCE_EXHAUSTED when there are too many."""
        if self._users[caller.user_id] >= MAX_EXPORTS_OF_USER:
            raise _too_many(f"You have {MAX_EXPORTS_OF_USER} exports open here. End one, or wait for it.")
        if self._users.total() >= MAX_EXPORTS:
            raise _too_many("Too many exports are open here. Try again later.")
        self._users[caller.user_id] += 1
        self._metrics.exports.inc()
        try:
            yield
        finally:
            self._metrics.exports.dec()
            self._users -= Counter([caller.user_id])  # who has none is forgotten


def _first_part(span: Span, probes: Sequence[Probe], *, most: int) -> tuple[Span | None, Span | None]:
    """The first part of the span, in which no source has more than `most` samples, and the rest, if there is any."""
    if not probes:
        return None, None
    cut_us = [one.last_us for one in probes if one.rows == most]
    end_us = 1 + (min(cut_us) if cut_us else max(one.last_us for one in probes))
    rest = Span(start_us=end_us, end_us=span.end_us) if cut_us and end_us < span.end_us else None
    return Span(start_us=min(one.first_us for one in probes), end_us=end_us), rest


def _too_many(public: str) -> FlickError:
    return FlickError(Kind.RESOURCE_EXHAUSTED, public, reason="TOO_MANY_EXPORTS", retry_after_s=RETRY_AFTER_S)

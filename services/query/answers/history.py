"""Answers questions about one server's history: plans, has the points collected, and tells where there are none."""

import asyncio
from collections.abc import Sequence

from flick.clock import Clock
from flick.errors import invalid
from flick.v1 import query_pb2
from services.query.answers.advice import advice_on_timeout
from services.query.answers.collector import Collector
from services.query.answers.gate import Gate
from services.query.gaps import Gaps
from services.query.metrics import QueryMetrics
from services.query.rules.catalog import Catalog, Selector
from services.query.rules.gaps import Gap
from services.query.rules.plan import MAX_NAMES, Reading, Span, plan_points, plan_reading, plan_span
from services.query.rules.points import Points
from services.query.store import Store

_ADVICE = "Reading this history takes too long. Ask for a shorter span or fewer names."


class History:
    """The history of servers' metrics.

    Args:
        store: where samples are read.
        gaps: where there are none.
        catalog: the built-in metrics.
        gate: bounds how many questions are answered at once.
        clock: tells which moment `now` is.
        metrics: told how long reading takes.
    """

    def __init__(
        self,
        *,
        store: Store,
        gaps: Gaps,
        catalog: Catalog,
        gate: Gate,
        clock: Clock,
        metrics: QueryMetrics,
    ) -> None:
        self._store = store
        self._collector = Collector(store=store)
        self._gaps = gaps
        self._catalog = catalog
        self._gate = gate
        self._clock = clock
        self._metrics = metrics

    async def query(
        self,
        *,
        server_id: str,
        interval_us: int,
        names: Sequence[str],
        start_us: int | None,
        end_us: int | None,
        max_points: int,
    ) -> query_pb2.QueryMetricsResponse:
        """The history of `names`. Raises INVALID_ARGUMENT naming the field, RESOURCE_EXHAUSTED when too busy.

        `interval_us` is the time between stored samples of the server as it is now.
        """
        if not 1 <= len(names) <= MAX_NAMES:
            raise invalid("names", f"holds {len(names)} names; give 1 to {MAX_NAMES} metric names of the catalogue.")
        selectors = self._catalog.resolve(names)
        now_us = self._clock.time_unix_nano() // 1000
        span = plan_span(start_us=start_us, end_us=end_us, now_us=now_us)
        plan_points(max_points=max_points, series=1)  # refuses nonsense before it waits
        async with self._gate.entered():
            with self._metrics.range_seconds.time():
                async with advice_on_timeout(_ADVICE):
                    answer = await self._answer(server_id, interval_us, selectors, span, max_points, now_us)
        self._metrics.range_points.inc(sum(len(one.times) for one in answer.series))
        return answer

    async def _answer(
        self,
        server_id: str,
        interval_us: int,
        selectors: Sequence[Selector],
        span: Span,
        max_points: int,
        now_us: int,
    ) -> query_pb2.QueryMetricsResponse:
        points = plan_points(max_points=max_points, series=1)
        probe = await self._store.probe(server_id, span, limit=points + 1)
        plan_reading(span=span, points=points, series=1, probe=probe, now_us=now_us)  # too much even without labels
        series = await self._collector.series(server_id, selectors, span)
        points = plan_points(max_points=max_points, series=len(series))
        reading = plan_reading(span=span, points=points, series=len(series), probe=probe, now_us=now_us)
        collected = await self._collector.points(server_id, reading, series)
        answer = await asyncio.to_thread(_answer, reading, collected)
        gaps, answer.gaps_left_out = await self._gaps.read(
            server_id, reading.span, interval_us=interval_us, now_us=now_us
        )
        answer.gaps.extend(map(_gap, gaps))
        return answer


def _answer(reading: Reading, collected: Sequence[Points]) -> query_pb2.QueryMetricsResponse:
    answer = query_pb2.QueryMetricsResponse(series=[one.time_series() for one in collected if len(one)])
    answer.start_time.FromMicroseconds(reading.span.start_us)
    answer.end_time.FromMicroseconds(reading.span.end_us)
    if reading.step_us is not None:
        answer.step.FromMicroseconds(reading.step_us)
    return answer


def _gap(gap: Gap) -> query_pb2.MetricsGap:
    told = query_pb2.MetricsGap(reason=gap.reason)
    told.start_time.FromMicroseconds(gap.start_us)
    told.end_time.FromMicroseconds(gap.end_us)
    return told

"""Answers what changed most on a server between two windows of time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from flick.clock import Clock
from flick.errors import invalid
from flick.v1 import query_pb2
from services.query.answers.advice import advice_on_timeout
from services.query.answers.collector import Collector, Found
from services.query.answers.gate import Gate
from services.query.rules.catalog import Catalog, Selector
from services.query.rules.changes import EVER_GROWING, check_limit, plan_baseline, rank
from services.query.rules.levels import Sources
from services.query.rules.plan import MAX_NAMES, Reading, Span, plan_points, plan_span, plan_step
from services.query.rules.points import Points

_ADVICE = "Comparing these windows takes too long. Ask for shorter ones or fewer names."


@dataclass(frozen=True, kw_only=True)
class ChangesQuestion:
    """What is asked, as `QueryMetricChangesRequest` describes it; times in microseconds, None where they are unset."""

    server_id: str
    names: Sequence[str]
    start_us: int | None
    end_us: int | None
    baseline_start_us: int | None
    baseline_end_us: int | None
    limit: int


class Changes:
    """What changed on servers.

    Args:
        collector: reads samples.
        catalog: the built-in metrics.
        gate: bounds how many questions are answered at once.
        clock: tells which moment `now` is.
    """

    def __init__(self, *, collector: Collector, catalog: Catalog, gate: Gate, clock: Clock) -> None:
        self._collector = collector
        self._catalog = catalog
        self._gate = gate
        self._clock = clock

    async def query(self, asked: ChangesQuestion) -> query_pb2.QueryMetricChangesResponse:
        """The changes. Raises INVALID_ARGUMENT naming the field, RESOURCE_EXHAUSTED when too busy."""
        if len(asked.names) > MAX_NAMES:
            raise invalid("names", f"holds {len(asked.names)} names; give at most {MAX_NAMES}, or none for all.")
        selectors = self._catalog.resolve(asked.names)
        if not asked.names:
            selectors = tuple(one for one in selectors if one.name not in EVER_GROWING)
        limit = check_limit(asked.limit)
        now_us = self._clock.time_unix_nano() // 1000
        span = plan_span(start_us=asked.start_us, end_us=asked.end_us, now_us=now_us)
        baseline = plan_baseline(span, start_us=asked.baseline_start_us, end_us=asked.baseline_end_us)
        async with self._gate.entered(), advice_on_timeout(_ADVICE), self._collector.one_moment():
            return await self._answer(asked.server_id, selectors, (baseline, span), limit, now_us)

    async def _answer(
        self, server_id: str, selectors: Sequence[Selector], spans: Sequence[Span], limit: int, now_us: int
    ) -> query_pb2.QueryMetricChangesResponse:
        found = [
            await self._collector.survey(server_id, selectors, span=one, max_points=0, now_us=now_us, alone=False)
            for one in spans
        ]
        readings = _readings(found, now_us)
        before, after = [
            await self._collector.points(server_id, reading, one.series)
            for reading, one in zip(readings, found, strict=True)
        ]
        return await asyncio.to_thread(_answer, readings, before, after, limit)


def _readings(found: Sequence[Found], now_us: int) -> list[Reading]:
    """How both windows are read: both as they were measured, or both by the same steps."""
    points = plan_points(max_points=0, series=sum(len(one.series) for one in found))
    sources = reduce(Sources.both, (one.sources for one in found))
    readings = [one.reading(points, now_us, reads=len(found), sources=sources) for one in found]
    if all(one.step_us is None for one in readings):
        return readings
    for one in found:  # refuses what would be too much by steps
        one.reading(points, now_us, reads=len(found), sources=sources, as_measured=False)
    longest = max((one.span for one in found), key=lambda span: span.length_us)
    step_us = plan_step(longest, points, least_us=sources.least_us)
    return [Reading(span=one.span.aligned(step_us), step_us=step_us, sources=sources) for one in found]


def _answer(
    readings: Sequence[Reading], before: Sequence[Points], after: Sequence[Points], limit: int
) -> query_pb2.QueryMetricChangesResponse:
    changes, not_compared = rank(
        [one.time_series() for one in before if len(one)], [one.time_series() for one in after if len(one)], limit=limit
    )
    answer = query_pb2.QueryMetricChangesResponse(changes=changes, not_compared_count=not_compared)
    baseline, present = readings
    answer.baseline_start_time.FromMicroseconds(baseline.span.start_us)
    answer.baseline_end_time.FromMicroseconds(baseline.span.end_us)
    answer.start_time.FromMicroseconds(present.span.start_us)
    answer.end_time.FromMicroseconds(present.span.end_us)
    if present.step_us is not None:
        answer.step.FromMicroseconds(present.step_us)
    return answer

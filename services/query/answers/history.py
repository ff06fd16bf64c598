"""Answers questions about one server's history: plans, has the points collected, and tells where there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from flick.clock import Clock
from flick.errors import invalid
from flick.v1 import query_pb2
from services.query.answers.advice import advice_on_timeout
from services.query.answers.collector import Collector
from services.query.answers.gate import Gate
from services.query.gaps import Gaps
from services.query.metrics import QueryMetrics
from services.query.reading.worker import VALUE_US, aside_if_long
from services.query.rules import compare
from services.query.rules.catalog import Catalog, Selector
from services.query.rules.days import by_days
from services.query.rules.gaps import Gap
from services.query.rules.plan import MAX_NAMES, Reading, Span, plan_points, plan_span
from services.query.rules.points import Points
from services.query.rules.zones import UTC

_ADVICE = "Reading this history takes too long. Ask for a shorter span or fewer names."


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, as `QueryMetricsRequest` describes it; times in microseconds, None where they are unset.

    `interval_us` is the time between stored samples of the server as it is now; `compare_offset_us` 0: none.
    """

    server_id: str
    interval_us: int
    names: Sequence[str]
    start_us: int | None = None
    end_us: int | None = None
    max_points: int = 0
    compare_offset_us: int = 0
    zone: ZoneInfo = UTC


class History:
    """The history of servers' metrics.

    Args:
        collector: reads samples.
        gaps: where there are none.
        catalog: the built-in metrics.
        gate: bounds how many questions are answered at once.
        clock: tells which moment `now` is.
        metrics: told how long reading takes.
    """

    def __init__(
        self,
        *,
        collector: Collector,
        gaps: Gaps,
        catalog: Catalog,
        gate: Gate,
        clock: Clock,
        metrics: QueryMetrics,
    ) -> None:
        self._collector = collector
        self._gaps = gaps
        self._catalog = catalog
        self._gate = gate
        self._clock = clock
        self._metrics = metrics

    async def query(self, asked: Question) -> query_pb2.QueryMetricsResponse:
        """The history. Raises INVALID_ARGUMENT naming the field, RESOURCE_EXHAUSTED when too busy."""
        names = asked.names
        if not 1 <= len(names) <= MAX_NAMES:
            raise invalid("names", f"holds {len(names)} names; give 1 to {MAX_NAMES} metric names of the catalogue.")
        selectors = self._catalog.resolve(names)
        now_us = self._clock.time_unix_nano() // 1000
        span = plan_span(start_us=asked.start_us, end_us=asked.end_us, now_us=now_us)
        compare.check_offset(asked.compare_offset_us, span)
        plan_points(max_points=asked.max_points, series=1)  # refuses nonsense before it waits
        async with self._gate.entered():
            with self._metrics.range_seconds.time():
                async with advice_on_timeout(_ADVICE), self._collector.one_moment():
                    answer = await self._answer(asked, selectors, span, now_us)
        self._metrics.range_points.inc(sum(len(one.times) for one in (*answer.series, *answer.earlier_series)))
        return answer

    async def _answer(
        self, asked: Question, selectors: Sequence[Selector], span: Span, now_us: int
    ) -> query_pb2.QueryMetricsResponse:
        offset_us = asked.compare_offset_us
        survey = partial(
            self._collector.survey,
            asked.server_id,
            selectors,
            max_points=asked.max_points,
            now_us=now_us,
            alone=not offset_us,
        )
        earlier = await survey(span=span.moved(-offset_us)) if offset_us else None
        present = await survey(span=span)
        series = len(present.series) + (len(earlier.series) if earlier else 0)
        points = plan_points(max_points=asked.max_points, series=series)
        reads, sources = (2, present.sources.both(earlier.sources)) if earlier else (1, present.sources)
        reading = present.reading(points, now_us, reads=reads, sources=sources)
        if earlier and earlier.reading(points, now_us, reads=reads, sources=sources).step_us and not reading.step_us:
            reading = present.reading(points, now_us, reads=reads, sources=sources, as_measured=False)
        reading = by_days(reading, span, points=points, zone=asked.zone)
        collected = await self._collector.points(asked.server_id, reading, present.series)
        values = 4 * sum(map(len, collected))
        answer = await aside_if_long(values * VALUE_US, _answer, reading, collected)
        if earlier:
            then = compare.earlier(reading, offset_us, zone=asked.zone)
            before = await self._collector.points(asked.server_id, then.reading, earlier.series)
            answer.earlier_series.extend(one.time_series(later_us=then.later_us) for one in before if len(one))
            answer.compare_offset.FromMicroseconds(then.offset_us)
        gaps, answer.gaps_left_out = await self._gaps.read(
            asked.server_id, reading.span, level=reading.level, interval_us=asked.interval_us, now_us=now_us
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

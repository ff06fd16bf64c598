"""Answers questions about the history of several servers at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from flick.clock import Clock
from flick.errors import invalid
from flick.v1 import query_pb2
from services.query.answers.advice import advice_on_timeout
from services.query.answers.collector import Collector, Found
from services.query.answers.gate import Gate
from services.query.metrics import QueryMetrics
from services.query.rules import compare
from services.query.rules.across import MAX_SERVERS, Aggregation, Load, check_aggregation, combine, plan_fleet_reading
from services.query.rules.catalog import Catalog, Selector
from services.query.rules.days import by_days
from services.query.rules.plan import MAX_NAMES, Reading, Span, plan_points, plan_span
from services.query.rules.series import with_labels
from services.query.store import Store

_ADVICE = "Reading this history takes too long. Ask for a shorter span, fewer servers or fewer names."

Shown = Sequence[tuple[str, query_pb2.TimeSeries]]  # each with its server


@dataclass(frozen=True, kw_only=True)
class FleetQuestion:
    """What is asked, as `QueryFleetMetricsRequest` describes it; times in microseconds, None where they are unset.

    `intervals_us` is the time between stored samples of each server as it is now; `compare_offset_us` 0: none.
    """

    server_ids: Sequence[str]
    intervals_us: Mapping[str, int]
    names: Sequence[str]
    labels: Mapping[str, str]
    start_us: int | None
    end_us: int | None
    max_points: int
    aggregation: Aggregation
    quantiles: Sequence[float]
    compare_offset_us: int
    zone: ZoneInfo


class FleetHistory:
    """The history of several servers' metrics.

    Args:
        store: where samples are read.
        catalog: the built-in metrics.
        gate: bounds how many questions are answered at once.
        clock: tells which moment `now` is.
        metrics: told how long reading takes.
    """

    def __init__(self, *, store: Store, catalog: Catalog, gate: Gate, clock: Clock, metrics: QueryMetrics) -> None:
        self._collector = Collector(store=store)
        self._catalog = catalog
        self._gate = gate
        self._clock = clock
        self._metrics = metrics

    async def query(self, asked: FleetQuestion) -> query_pb2.QueryFleetMetricsResponse:
        """The history. Raises INVALID_ARGUMENT naming the field, RESOURCE_EXHAUSTED when too busy."""
        check_servers(asked.server_ids)
        if not 1 <= len(asked.names) <= MAX_NAMES:
            raise invalid("names", f"holds {len(asked.names)} names; give 1 to {MAX_NAMES} names of the catalogue.")
        check_aggregation(asked.aggregation, asked.quantiles)
        selectors = with_labels(self._catalog.resolve(asked.names), asked.labels)
        now_us = self._clock.time_unix_nano() // 1000
        span = plan_span(start_us=asked.start_us, end_us=asked.end_us, now_us=now_us)
        compare.check_offset(asked.compare_offset_us, span)
        plan_points(max_points=asked.max_points, series=1)
        async with self._gate.entered():
            with self._metrics.range_seconds.time():
                async with advice_on_timeout(_ADVICE), self._collector.one_moment():
                    answer = await self._answer(asked, selectors, span, now_us)
        self._metrics.range_points.inc(sum(len(one.series.times) for one in (*answer.series, *answer.earlier_series)))
        return answer

    async def _answer(
        self, asked: FleetQuestion, selectors: Sequence[Selector], span: Span, now_us: int
    ) -> query_pb2.QueryFleetMetricsResponse:
        offset_us = asked.compare_offset_us
        present = await self._survey(asked, selectors, span, now_us)
        earlier = await self._survey(asked, selectors, span.moved(-offset_us), now_us) if offset_us else {}
        surveys = [*present.values(), *earlier.values()]
        points = plan_points(max_points=asked.max_points, series=sum(len(one.series) for one in surveys))
        reading = plan_fleet_reading(
            span=span,
            points=points,
            loads=[Load(one.span, one.probe, one.sources, len(one.series)) for one in surveys],
            least_step_us=max(asked.intervals_us.values()) if asked.aggregation else None,
            now_us=now_us,
        )
        reading = by_days(reading, span, points=points, zone=asked.zone)
        shown = await self._read(reading, present, later_us=0)
        if not offset_us:
            return await asyncio.to_thread(_answer, asked, reading, shown, (), 0)
        then = compare.earlier(reading, offset_us, zone=asked.zone)
        before = await self._read(then.reading, earlier, later_us=then.later_us)
        return await asyncio.to_thread(_answer, asked, reading, shown, before, then.offset_us)

    async def _survey(
        self, asked: FleetQuestion, selectors: Sequence[Selector], span: Span, now_us: int
    ) -> Mapping[str, Found]:
        """What each server has in a span."""
        surveys = {}
        for server_id in asked.server_ids:
            found = await self._collector.survey(
                server_id, selectors, span=span, max_points=asked.max_points, now_us=now_us, alone=False
            )
            chosen = [one for one in found.series if asked.labels.items() <= one.labels.items()]
            surveys[server_id] = replace(found, series=chosen)
        return surveys

    async def _read(self, reading: Reading, surveys: Mapping[str, Found], *, later_us: int) -> Shown:
        shown: list[tuple[str, query_pb2.TimeSeries]] = []
        for server_id, found in surveys.items():
            collected = await self._collector.points(server_id, reading, found.series)
            shown += [(server_id, one.time_series(later_us=later_us)) for one in collected if len(one)]
        return shown


def check_servers(server_ids: Sequence[str]) -> None:
    """Raise INVALID_ARGUMENT when they are more than one call may read."""
    if len(server_ids) > MAX_SERVERS:
        raise invalid("server_ids", f"names {len(server_ids)} servers; ask for at most {MAX_SERVERS} in one call.")


def _answer(
    asked: FleetQuestion, reading: Reading, shown: Shown, before: Shown, offset_us: int
) -> query_pb2.QueryFleetMetricsResponse:
    answer = query_pb2.QueryFleetMetricsResponse(
        series=_fleet_series(asked, shown), earlier_series=_fleet_series(asked, before)
    )
    if offset_us:
        answer.compare_offset.FromMicroseconds(offset_us)
    answer.start_time.FromMicroseconds(reading.span.start_us)
    answer.end_time.FromMicroseconds(reading.span.end_us)
    if reading.step_us is not None:
        answer.step.FromMicroseconds(reading.step_us)
    return answer


def _fleet_series(asked: FleetQuestion, found: Shown) -> list[query_pb2.FleetTimeSeries]:
    if not asked.aggregation:
        return [query_pb2.FleetTimeSeries(server_id=server_id, series=one) for server_id, one in found]
    alike: dict[tuple[str, frozenset[tuple[str, str]]], list[query_pb2.TimeSeries]] = {}
    for _, one in found:
        alike.setdefault((one.name, frozenset(one.labels.items())), []).append(one)
    names = {name: place for place, name in enumerate(dict.fromkeys(asked.names))}
    return [
        query_pb2.FleetTimeSeries(quantile=share, series=combined)
        for group in sorted(alike.values(), key=lambda group: names[group[0].name])
        for share, combined in combine(group, asked.aggregation, asked.quantiles)
    ]

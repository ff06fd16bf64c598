"""Stores a push: durably before it is answered, the same push once, and beside whatever else comes at that time."""

import asyncio
import logging
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from flick.clock import Clock
from flick.db.failures import to_flick_error
from flick.errors import FlickError, Kind, unavailable
from flick.ids import pushed_source
from flick.v1 import push_pb2, telemetry_pb2
from services.ingest.intake.layouts import DAILY_BYTES, LayoutIds, cut
from services.ingest.live.announcer import Announcer
from services.ingest.live.watched import Watched
from services.ingest.push.metrics import PushMetrics
from services.ingest.push.reading import DAY_MS, Point, Rejections, SeriesId, by_moment, read_push
from services.ingest.push.samples import Count, Stored, free_slot, layout_of, newest, same_gauges, value_of
from services.ingest.push.store import Change, PushStore
from services.ingest.store import NotDurableError

MAX_SERIES = 2000  # of one server, as of an agent

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Outcome:
    """What becomes of a push while it is being stored."""

    rejections: Rejections
    stored: int = 0
    duplicate: int = 0
    samples: list[Stored] = field(default_factory=list)
    values: dict[SeriesId, float] = field(default_factory=dict)
    kept: list[Point] = field(default_factory=list)


class Push:
    """Stores pushes, one after the other in this process: each takes some milliseconds and a connection.

    Args:
        store: where they go.
        layout_ids: the stored layouts.
        watched, announcer: show viewers what was stored.
        metrics: told what became of values.
        clock: tells which times are of the future, or too old.
    """

    def __init__(
        self,
        *,
        store: PushStore,
        layout_ids: LayoutIds,
        watched: Watched,
        announcer: Announcer,
        metrics: PushMetrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._layout_ids = layout_ids
        self._watched = watched
        self._announcer = announcer
        self._metrics = metrics
        self._clock = clock
        self._turn = asyncio.Lock()

    async def take(
        self, request: push_pb2.PushMetricsRequest, *, organization_id: str, retention_days: int
    ) -> push_pb2.PushMetricsResponse:
        """Store what can be. Raises INVALID_ARGUMENT when nothing can be, and UNAVAILABLE when nothing can be now."""
        now_ms = self._clock.time_unix_nano() // 1_000_000
        rejections = Rejections()
        # In a thread: a large text takes a tenth of a second, for which no stream should wait.
        points = await asyncio.to_thread(
            read_push, request, now_ms=now_ms, retention_days=retention_days, rejections=rejections
        )
        outcome = _Outcome(rejections)
        if points:
            outcome = await self._store_points(
                points,
                rejections,
                source=pushed_source(uuid.UUID(request.server_id)),
                organization_id=uuid.UUID(organization_id),
                now_ms=now_ms,
                kept_from_ms=now_ms - retention_days * DAY_MS,
            )
        self._note(request.server_id, outcome)
        return _answer(outcome)

    async def _store_points(
        self,
        points: Sequence[Point],
        rejections: Rejections,
        *,
        source: uuid.UUID,
        organization_id: uuid.UUID,
        now_ms: int,
        kept_from_ms: int,
    ) -> _Outcome:
        refused = (rejections.count, list(rejections.told))
        async with self._turn:
            for attempt in (1, 2):  # a chunk may be given back while a sample waits for it: then once more
                outcome = _Outcome(Rejections(refused[0], list(refused[1])))
                try:
                    async with self._store.changing(source, organization_id) as change:
                        await self._change(change, points, outcome, source, organization_id, now_ms, kept_from_ms)
                    return outcome
                except NotDurableError as error:
                    raise unavailable("Nothing can be stored durably now.", private=str(error)) from error
                except asyncpg.InternalServerError:
                    if attempt == 2:
                        raise
                except asyncpg.PostgresError as error:
                    raise to_flick_error(error) or error from error
        raise AssertionError("unreachable")

    async def _change(
        self,
        change: Change,
        points: Sequence[Point],
        outcome: _Outcome,
        source: uuid.UUID,
        organization_id: uuid.UUID,
        now_ms: int,
        kept_from_ms: int,
    ) -> None:
        counts = await change.find_series({point.series.id for point in points})
        points = await self._within_limit(change, points, counts, outcome, kept_from_ms)
        moments = by_moment(points)
        there = await change.find_samples(list(moments), now_ms=now_ms)
        for time_ms, some in moments.items():
            layout_id, some = await self._layout(some, outcome, source, organization_id)
            if layout_id:
                _decide(time_ms, some, layout_id, there.get(time_ms, []), counts, outcome)
        await change.add_samples(outcome.samples, received_ms=now_ms)
        await change.keep_series(list(newest(outcome.kept).values()), outcome.values)

    async def _within_limit(
        self,
        change: Change,
        points: Sequence[Point],
        known: Mapping[SeriesId, Count],
        outcome: _Outcome,
        kept_from_ms: int,
    ) -> Sequence[Point]:
        """The points without those of new series for which there is no room."""
        new = list(dict.fromkeys(point.series.id for point in points if point.series.id not in known))
        room = MAX_SERIES - await change.count_series() if new else 0
        if new and room < len(new):
            await change.forget_series(before_ms=kept_from_ms)
            room = MAX_SERIES - await change.count_series()
        beyond = set(new[max(0, room) :])
        for point in points:
            if point.series.id in beyond:
                outcome.rejections.add(
                    point.field,
                    f"is a new series, and this server has {MAX_SERIES} that were pushed. Push fewer different labels.",
                )
        return [point for point in points if point.series.id not in beyond]

    async def _layout(
        self, points: Sequence[Point], outcome: _Outcome, source: uuid.UUID, organization_id: uuid.UUID
    ) -> tuple[int, Sequence[Point]]:
        """The stored layout of a moment's points, and those for which there is room in it; 0: for none."""
        limits = cut(layout_of(point.series for point in points))
        for point in points[limits.kept_count :]:
            outcome.rejections.add(point.field, f"is too much for one moment: {limits.detail}")
        kept = points[: limits.kept_count]
        if not kept:
            return 0, ()
        packed = layout_of(point.series for point in kept).SerializeToString()
        layout_id = await self._layout_ids.get(server_id=source, organization_id=organization_id, series=packed)
        if layout_id is None:
            for point in kept:
                outcome.rejections.add(
                    point.field,
                    f"belongs to a new set of series, of which a server may have {DAILY_BYTES} bytes a day. "
                    "Push the same series each time.",
                )
        return layout_id or 0, kept

    def _note(self, server_id: str, outcome: _Outcome) -> None:
        self._metrics.values.labels("stored").inc(outcome.stored)
        self._metrics.values.labels("duplicate").inc(outcome.duplicate)
        self._metrics.values.labels("rejected").inc(outcome.rejections.count)
        if outcome.samples and self._watched.is_watched(server_id):
            samples = [
                telemetry_pb2.Sample(
                    time_unix_nano=one.time_us * 1000,
                    layout_id=one.layout_id,
                    labelled=[math.nan if value is None else value for value in one.values],
                )
                for one in outcome.samples
            ]
            self._announcer.publish(str(pushed_source(uuid.UUID(server_id))), samples)


def _decide(
    time_ms: int,
    points: Sequence[Point],
    layout_id: int,
    there: list[Stored],
    counts: dict[SeriesId, Count],
    outcome: _Outcome,
) -> None:
    """What becomes of the points of one moment, given the samples that there are within its millisecond."""
    same = next((one for one in there if one.layout_id == layout_id), None)
    if same is not None and same_gauges(points, same):
        outcome.duplicate += len(points)
        return
    time_us = free_slot(time_ms, {one.time_us for one in there})
    if same is not None or time_us is None:
        what = "other values of these series at this time" if same is not None else "too much at this time"
        for point in points:
            outcome.rejections.add(point.field, f"can't be stored: there are {what} already. Push them with another.")
        return
    values: list[float | None] = []
    stored_before = outcome.stored
    for point in points:
        value = value_of(point, counts)
        if value is None:
            outcome.rejections.add(point.field, "is older than what was pushed of this counter last; push in order.")
        else:
            outcome.stored += 1
            outcome.kept.append(point)
            outcome.values[point.series.id] = value
        values.append(None if value is None or math.isnan(value) else value)
    if outcome.stored > stored_before:
        stored = Stored(time_us, layout_id, values)
        there.append(stored)
        outcome.samples.append(stored)


def _answer(outcome: _Outcome) -> push_pb2.PushMetricsResponse:
    rejections = outcome.rejections
    if rejections.count and not outcome.stored and not outcome.duplicate:
        first = rejections.told[0]
        raise FlickError(
            Kind.INVALID_ARGUMENT,
            f"Nothing was stored. {first.field}: {first.description}",
            violations=rejections.told,
        )
    return push_pb2.PushMetricsResponse(
        stored_count=outcome.stored,
        duplicate_count=outcome.duplicate,
        rejected_count=rejections.count,
        rejections=[push_pb2.PushRejection(field=one.field, description=one.description) for one in rejections.told],
    )

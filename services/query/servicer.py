"""The QueryService: requests in, answers out. What an answer is, the parts behind it decide."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeAlias

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from flick.clock import Clock
from flick.errors import invalid
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.v1 import delivery_pb2, query_pb2, query_pb2_grpc
from services.query.access import Access
from services.query.answers.across import FleetHistory, FleetQuestion
from services.query.answers.changes import Changes, ChangesQuestion
from services.query.answers.delivery import Delivery
from services.query.answers.export import Export, ExportQuestion
from services.query.answers.fleet import Fleet
from services.query.answers.history import History, Question
from services.query.answers.latest import Latest
from services.query.answers.top import Top
from services.query.custom.descriptions import CustomMetrics
from services.query.custom.pushed import Pushed
from services.query.rules import measured
from services.query.rules.catalog import Catalog, Wanted
from services.query.rules.plan import Span, check_moment
from services.query.rules.zones import find_zone
from services.query.store import Store
from services.query.watch.hub import Hub
from services.query.watch.session import Sessions

MAX_WATCHED = 100
Compared: TypeAlias = query_pb2.QueryMetricsRequest | query_pb2.QueryFleetMetricsRequest

PROCESSES_LOOK_BACK_US = 300_000_000  # the contract: a snapshot at most 5 min older is shown


class QueryServicer(query_pb2_grpc.QueryServiceServicer):
    """Answers the contract's calls."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        custom: CustomMetrics,
        pushed: Pushed,
        history: History,
        fleet_history: FleetHistory,
        changes: Changes,
        top: Top,
        export: Export,
        delivery: Delivery,
        latest: Latest,
        fleet: Fleet,
        access: Access,
        store: Store,
        hub: Hub,
        sessions: Sessions,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._custom = custom
        self._pushed = pushed
        self._history = history
        self._fleet_history = fleet_history
        self._changes = changes
        self._top = top
        self._export = export
        self._delivery = delivery
        self._latest = latest
        self._fleet = fleet
        self._access = access
        self._store = store
        self._hub = hub
        self._sessions = sessions
        self._clock = clock

    async def GetLatestMetrics(
        self, request: query_pb2.GetLatestMetricsRequest, context: Context
    ) -> query_pb2.GetLatestMetricsResponse:
        """See the contract."""
        wanted = await self._wanted([request.server_id], request.names)
        sample = (await self._latest.newest([request.server_id])).get(request.server_id)
        answer = query_pb2.GetLatestMetricsResponse()
        if sample is not None:
            answer.values.extend(measured.values(sample, catalog=self._catalog, wanted=wanted))
            answer.time.FromMicroseconds(sample.time_us)
        answer.values.extend(await self._pushed.newest(request.server_id, wanted))
        return answer

    async def QueryMetrics(
        self, request: query_pb2.QueryMetricsRequest, context: Context
    ) -> query_pb2.QueryMetricsResponse:
        """See the contract."""
        await self._custom.check([request.server_id], request.names)
        intervals_us = await self._access.intervals_us([request.server_id])
        return await self._history.query(
            Question(
                server_id=request.server_id,
                interval_us=intervals_us[request.server_id],
                names=request.names,
                start_us=_start(request),
                end_us=_end(request),
                max_points=request.max_points,
                compare_offset_us=_offset(request),
                zone=find_zone(request.time_zone),
            )
        )

    async def QueryFleetMetrics(
        self, request: query_pb2.QueryFleetMetricsRequest, context: Context
    ) -> query_pb2.QueryFleetMetricsResponse:
        """See the contract."""
        server_ids = list(dict.fromkeys(request.server_ids))
        await self._custom.check(server_ids, request.names)
        return await self._fleet_history.query(
            FleetQuestion(
                server_ids=server_ids,
                intervals_us=await self._access.intervals_us(server_ids),
                names=request.names,
                labels=request.labels,
                start_us=_start(request),
                end_us=_end(request),
                max_points=request.max_points,
                aggregation=request.aggregation,
                quantiles=request.quantiles,
                compare_offset_us=_offset(request),
                zone=find_zone(request.time_zone),
            )
        )

    async def QueryMetricChanges(
        self, request: query_pb2.QueryMetricChangesRequest, context: Context
    ) -> query_pb2.QueryMetricChangesResponse:
        """See the contract."""
        await self._custom.check([request.server_id], request.names)
        return await self._changes.query(
            ChangesQuestion(
                server_id=request.server_id,
                names=request.names,
                start_us=_start(request),
                end_us=_end(request),
                baseline_start_us=_set_moment(request, "baseline_start_time"),
                baseline_end_us=_set_moment(request, "baseline_end_time"),
                limit=request.limit,
            )
        )

    async def ExportMetrics(self, request: query_pb2.ExportMetricsRequest, context: Context) -> AsyncIterator[HttpBody]:
        """See the contract."""
        await self._custom.check([request.server_id], request.names)
        asked = ExportQuestion(
            server_id=request.server_id,
            names=request.names,
            start_us=_start(request),
            end_us=_end(request),
            format=request.format,
            time_zone=request.time_zone,
        )
        async with aclosing(self._export.stream(asked, caller=current_caller())) as stream:
            async for piece in stream:
                yield piece

    async def WatchMetrics(
        self, request: query_pb2.WatchMetricsRequest, context: Context
    ) -> AsyncIterator[query_pb2.WatchMetricsResponse]:
        """See the contract."""
        server_ids = list(dict.fromkeys(request.server_ids))
        if len(server_ids) > MAX_WATCHED:
            raise invalid("server_ids", f"names {len(server_ids)} servers; watch at most {MAX_WATCHED} in one call.")
        wanted = await self._wanted(server_ids, request.names)
        caller = current_caller()
        with self._hub.watching(server_ids, user_id=caller.user_id) as backlog:
            await context.send_initial_metadata(())  # the viewer learns that it is let in before the first value
            async for response in self._sessions.follow(
                caller=caller, server_ids=server_ids, wanted=wanted, backlog=backlog
            ):
                yield response

    async def ListProcesses(
        self, request: query_pb2.ListProcessesRequest, context: Context
    ) -> query_pb2.ListProcessesResponse:
        """See the contract."""
        now_us = self._clock.time_unix_nano() // 1000
        moment_us = check_moment("time", _moment(request.time, "time") if request.HasField("time") else now_us)
        span = Span(start_us=max(0, moment_us - PROCESSES_LOOK_BACK_US), end_us=moment_us + 1)
        snapshot = await self._store.processes(request.server_id, span)
        if snapshot is None:
            return query_pb2.ListProcessesResponse()
        time_us, packed = snapshot
        answer = query_pb2.ListProcessesResponse(processes=measured.processes(packed))
        answer.time.FromMicroseconds(time_us)
        return answer

    async def ListTopProcesses(
        self, request: query_pb2.ListTopProcessesRequest, context: Context
    ) -> query_pb2.ListTopProcessesResponse:
        """See the contract."""
        return await self._top.query(
            server_id=request.server_id,
            start_us=_start(request),
            end_us=_end(request),
            order_by=request.order_by,
            limit=request.limit,
        )

    async def GetServerDelivery(
        self, request: delivery_pb2.GetServerDeliveryRequest, context: Context
    ) -> delivery_pb2.GetServerDeliveryResponse:
        """See the contract."""
        return await self._delivery.query(
            server_id=request.server_id,
            start_us=_start(request),
            end_us=_end(request),
        )

    async def SummarizeServers(
        self, request: query_pb2.SummarizeServersRequest, context: Context
    ) -> query_pb2.SummarizeServersResponse:
        """See the contract."""
        return await self._fleet.summarize(current_caller(), request)

    async def ListMetricDescriptors(
        self, request: query_pb2.ListMetricDescriptorsRequest, context: Context
    ) -> query_pb2.ListMetricDescriptorsResponse:
        """See the contract."""
        return query_pb2.ListMetricDescriptorsResponse(metrics=self._catalog.descriptors())

    async def ListServerMetricDescriptors(
        self, request: query_pb2.ListServerMetricDescriptorsRequest, context: Context
    ) -> query_pb2.ListServerMetricDescriptorsResponse:
        """See the contract."""
        found = await self._custom.descriptors(request.server_id)
        return query_pb2.ListServerMetricDescriptorsResponse(metrics=found)

    async def _wanted(self, server_ids: Sequence[str], names: Sequence[str]) -> Wanted:
        wanted = self._catalog.wanted(names)
        await self._custom.check(server_ids, names)
        return wanted


def _start(request: Message) -> int | None:
    return _set_moment(request, "start_time")


def _end(request: Message) -> int | None:
    return _set_moment(request, "end_time")


def _set_moment(request: Message, field: str) -> int | None:
    """Microseconds since the Unix epoch; None where the field is unset."""
    return _moment(getattr(request, field), field) if request.HasField(field) else None


def _offset(request: Compared) -> int:
    """Microseconds; 0: nothing is compared."""
    if not request.HasField("compare_offset"):
        return 0
    offset = request.compare_offset
    if not -1_000_000_000 < offset.nanos < 1_000_000_000:
        raise invalid("compare_offset", "has nanos outside -999999999 to 999999999.")
    offset_us = offset.seconds * 1_000_000 + offset.nanos // 1000
    if not offset_us:
        raise invalid("compare_offset", "must be more than 0; leave it out to compare with nothing.")
    return offset_us


def _moment(time: Timestamp, field: str) -> int:
    """Microseconds since the Unix epoch."""
    if not 0 <= time.nanos < 1_000_000_000:
        raise invalid(field, "has nanos outside 0 to 999999999.")
    return time.seconds * 1_000_000 + time.nanos // 1000

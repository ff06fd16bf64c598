"""Query's servicer, live feeds and what surrounds the calls, over what the front door opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flick.bus.client import Bus
from flick.clock import Clock
from flick.db.pool import Pool
from flick.rpc.access.aspect import AccessAspect
from flick.rpc.access.rules import read_rules
from flick.rpc.access.source import KeySource
from flick.rpc.access.watch import AccessWatch
from flick.rpc.aspect import Aspect
from flick.rpc.calls import DeadlineAspect, MetricsAspect
from flick.rpc.faults import FaultAspect
from flick.rpc.server import Registration
from flick.telemetry import RpcMetrics
from flick.v1 import query_pb2, query_pb2_grpc, stats_pb2, stats_pb2_grpc
from services.query.access import Access
from services.query.answers.across import FleetHistory
from services.query.answers.cache import LatestCache
from services.query.answers.changes import Changes
from services.query.answers.collector import Collector
from services.query.answers.delivery import Delivery
from services.query.answers.export import Export
from services.query.answers.fleet import Fleet
from services.query.answers.gate import Gate
from services.query.answers.history import History
from services.query.answers.latest import Latest
from services.query.answers.top import Top
from services.query.custom.descriptions import CustomMetrics
from services.query.custom.pushed import Pushed
from services.query.deliveries import Deliveries
from services.query.gaps import Gaps
from services.query.layouts import Layouts
from services.query.metrics import QueryMetrics
from services.query.reading.samples import Samples
from services.query.rules.catalog import Catalog
from services.query.servicer import QueryServicer
from services.query.stats.database import DatabaseReader
from services.query.stats.installation import Installation
from services.query.stats.lifetimes import Lifetimes
from services.query.stats.overseer import Overseer
from services.query.stats.servicer import StatsServicer
from services.query.stats.stats import Stats
from services.query.store import Store
from services.query.streams import Streams
from services.query.watch.forms import Forms
from services.query.watch.hub import Hub
from services.query.watch.session import Sessions
from services.query.watch.times import WatchTimes
from services.query.watch.wire import Wire

AUDIENCE = "query"
CALL_LIMIT_S = 15.0
ENDLESS = frozenset({"/flick.v1.QueryService/ExportMetrics", "/flick.v1.QueryService/WatchMetrics"})
RANGES_AT_ONCE = 4  # each may hold 250,000 points, some 60 MB while it is put together
RANGES_WAITING = 64
DESCRIPTOR = query_pb2.DESCRIPTOR.services_by_name["QueryService"]
STATS_DESCRIPTOR = stats_pb2.DESCRIPTOR.services_by_name["StatsService"]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the service is made of."""

    pool: Pool
    bus: Bus
    watch: AccessWatch
    keys: KeySource
    metrics: QueryMetrics
    rpc_metrics: RpcMetrics
    clock: Clock
    times: WatchTimes
    overseer: Overseer
    lifetimes: Lifetimes
    database_dir: Path | None
    operator_id: str


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """The services, and what must run beside them."""

    registrations: Sequence[Registration]
    hub: Hub
    stats: Stats


def assemble(parts: Parts) -> Assembled:
    """Put the parts together; connects nothing."""
    clock, metrics = parts.clock, parts.metrics
    catalog = Catalog.from_contract()
    layouts = Layouts(pool=parts.pool)
    samples = Samples(catalog=catalog)
    store = Store(pool=parts.pool, samples=samples, layouts=layouts)
    collector = Collector(store=store)
    access = Access(watch=parts.watch)
    cache = LatestCache(bus=parts.bus, layouts=layouts, metrics=metrics)
    latest = Latest(cache=cache, store=store, access=access, clock=clock, metrics=metrics)
    gate = Gate(at_once=RANGES_AT_ONCE, waiting=RANGES_WAITING, on_refused=metrics.range_refused.inc)
    wire = Wire(bus=parts.bus, layouts=layouts, metrics=metrics)
    hub = Hub(wire=wire, store=store, access=access, clock=clock, metrics=metrics, times=parts.times)
    servicer = QueryServicer(
        catalog=catalog,
        custom=CustomMetrics(pool=parts.pool, catalog=catalog),
        pushed=Pushed(pool=parts.pool),
        history=History(
            collector=collector,
            gaps=Gaps(pool=parts.pool, samples=samples),
            catalog=catalog,
            gate=gate,
            clock=clock,
            metrics=metrics,
        ),
        fleet_history=FleetHistory(store=store, catalog=catalog, gate=gate, clock=clock, metrics=metrics),
        changes=Changes(collector=collector, catalog=catalog, gate=gate, clock=clock),
        export=Export(
            store=store,
            collector=collector,
            access=access,
            catalog=catalog,
            gate=gate,
            clock=clock,
            metrics=metrics,
        ),
        top=Top(store=store, gate=gate, clock=clock),
        delivery=Delivery(deliveries=Deliveries(pool=parts.pool, samples=samples), gate=gate, clock=clock),
        latest=latest,
        fleet=Fleet(access=access, latest=latest, streams=Streams(pool=parts.pool), clock=clock),
        access=access,
        store=store,
        hub=hub,
        sessions=Sessions(latest=latest, access=access, forms=Forms(catalog=catalog), clock=clock, times=parts.times),
        clock=clock,
    )
    add = partial(query_pb2_grpc.add_QueryServiceServicer_to_server, servicer)
    stats = assemble_stats(parts)
    add_stats = partial(stats_pb2_grpc.add_StatsServiceServicer_to_server, StatsServicer(stats=stats))
    registrations = [
        Registration(add=add, descriptor=DESCRIPTOR),
        Registration(add=add_stats, descriptor=STATS_DESCRIPTOR),
    ]
    return Assembled(registrations=registrations, hub=hub, stats=stats)


def assemble_stats(parts: Parts) -> Stats:
    """What answers how FLick itself does."""
    database = DatabaseReader(pool=parts.pool)
    installation = Installation(
        database=database,
        bus=parts.bus,
        overseer=parts.overseer,
        watch=parts.watch,
        lifetimes=parts.lifetimes,
        database_dir=parts.database_dir,
        metrics=parts.metrics,
        clock=parts.clock,
    )
    return Stats(
        database=database,
        installation=installation,
        watch=parts.watch,
        operator_id=parts.operator_id,
        clock=parts.clock,
    )


def aspects(parts: Parts) -> Sequence[Aspect]:
    """What surrounds every call, outermost first."""
    return [
        FaultAspect(),
        MetricsAspect(metrics=parts.rpc_metrics, clock=parts.clock),
        DeadlineAspect(limit_s=CALL_LIMIT_S, exempt=ENDLESS),
        AccessAspect(
            rules=read_rules([DESCRIPTOR, STATS_DESCRIPTOR]), source=parts.watch, keys=parts.keys, audience=AUDIENCE
        ),
    ]

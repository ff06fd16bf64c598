"""Ingest's servicer, writer and live parts, over what the front door opened."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import asyncpg
from prometheus_client import CollectorRegistry

from flick.bus.client import Bus
from flick.clock import Clock
from flick.db.leader import Leader
from flick.db.pool import Connection, Pool
from flick.errors import FlickError
from flick.lifecycle import background
from flick.memory import give_back, resident_bytes
from flick.rpc.access.aspect import AccessAspect
from flick.rpc.access.rules import read_rules
from flick.rpc.access.source import AccessSource, KeySource
from flick.rpc.aspect import Aspect
from flick.rpc.calls import DeadlineAspect, MetricsAspect
from flick.rpc.faults import FaultAspect
from flick.rpc.server import Registration
from flick.telemetry import RpcMetrics
from flick.v1 import push_pb2_grpc
from services.ingest.duties import all_duties
from services.ingest.hosts import Hosts, Report
from services.ingest.housekeeping import LOCK, Housekeeping
from services.ingest.intake.admission import Admission
from services.ingest.intake.layouts import LayoutIds
from services.ingest.intake.new_layouts import NewLayouts
from services.ingest.ledger.ledger import Ledger
from services.ingest.ledger.store import LedgerStore
from services.ingest.live.announcer import Announcer
from services.ingest.live.watched import Watched
from services.ingest.metrics import IngestMetrics
from services.ingest.push.metrics import PushMetrics
from services.ingest.push.pace import Pace
from services.ingest.push.push import Push
from services.ingest.push.servicer import DESCRIPTOR as PUSH_DESCRIPTOR
from services.ingest.push.servicer import Access as PushAccess
from services.ingest.push.servicer import PushServicer
from services.ingest.push.store import PushStore
from services.ingest.retention.lifetimes import Lifetimes
from services.ingest.retention.retention import Servers
from services.ingest.servicer import DESCRIPTOR, IngestServicer
from services.ingest.store import NotDurableError, Store
from services.ingest.streams.claims import Claims
from services.ingest.streams.farewells import Farewells
from services.ingest.streams.minding import Access, Minding
from services.ingest.streams.parts import Parts
from services.ingest.streams.roster import Roster
from services.ingest.streams.rounds import Rounds
from services.ingest.streams.times import StreamTimes
from services.ingest.writing.condition import Condition
from services.ingest.writing.writer import Writer

AUDIENCE = "ingest"
CALL_LIMIT_S = 10.0
TELL_ROOM_EVERY_S = 1.0
HOUSEKEEPING_EVERY_S = 60.0
GIVE_BACK_EVERY_S = 60.0
GIVE_BACK_BYTES = 4 * 1024 * 1024  # less is not worth the pause
ENDLESS = frozenset({"/flick.v1.IngestService/StreamTelemetry"})

logger = logging.getLogger(__name__)


class KnownAccess(Access, PushAccess, Protocol):
    """What is granted now, as streams and as pushes need to know it."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """The service, ready to be served. `roster.drain` sends every agent away."""

    registrations: Sequence[Registration]
    roster: Roster
    condition: Condition


@asynccontextmanager
async def running(
    *,
    pool: Pool,
    connect: Callable[[], Awaitable[Connection]],
    bus: Bus,
    access: KnownAccess,
    report_hosts: Report,
    registry: CollectorRegistry,
    clock: Clock,
    times: StreamTimes,
    admission: Admission,
    seal_after_s: float,
    retentions: Servers,
    lifetimes: Lifetimes,
) -> AsyncIterator[Running]:
    """Write, announce and keep house while entered; on leaving, what was taken is still written.

    `connect` makes the connection by which one of all processes leads; `report_hosts` tells auth of agents' hosts,
    `retentions` asks auth how long samples are kept.
    """
    metrics = IngestMetrics(registry=registry)
    store = Store(pool=pool, clock=clock)
    condition = Condition(metrics=metrics.commits)
    layouts = NewLayouts(store=store.layout_ids)
    parts = _parts(
        pool=pool,
        bus=bus,
        access=access,
        report_hosts=report_hosts,
        store=store,
        layouts=layouts,
        admission=admission,
        condition=condition,
        metrics=metrics,
        clock=clock,
        times=times,
    )
    claims = Claims(ledger=parts.ledger, every_s=times.claims_every_s, clock=clock)
    farewells = Farewells(times=times, rng=parts.rng, clock=clock)
    roster = Roster(claims=claims, farewells=farewells, metrics=metrics.streams)
    housekeeping = Housekeeping(
        leader=Leader(name=LOCK, connect=connect, told=metrics.sealing.leads.set, clock=clock),
        duties=all_duties(
            metrics=metrics, seal_after_s=seal_after_s, servers=retentions, lifetimes=lifetimes, clock=clock
        ),
        every_s=HOUSEKEEPING_EVERY_S,
        clock=clock,
    )
    streaming = (parts.announcer, parts.watched, parts.ledger, claims, parts.minding, parts.rounds, parts.hosts)
    await _report_durability(store, metrics)
    async with AsyncExitStack() as stack:
        for part in (*streaming, layouts, parts.writer, housekeeping):
            await stack.enter_async_context(part.running())
        await stack.enter_async_context(background(_tell_room(admission, metrics, clock), name="room"))
        await stack.enter_async_context(background(_give_back_memory(clock), name="memory"))
        servicer = IngestServicer(parts=parts, roster=roster)
        registrations = [
            Registration(add=servicer.add_to, descriptor=DESCRIPTOR),
            _pushes(pool=pool, store=store, access=access, parts=parts, registry=registry),
        ]
        yield Running(registrations=registrations, roster=roster, condition=condition)


def aspects(*, source: AccessSource, keys: KeySource, registry: CollectorRegistry, clock: Clock) -> Sequence[Aspect]:
    """What surrounds every call, outermost first."""
    return [
        FaultAspect(),
        MetricsAspect(metrics=RpcMetrics(registry=registry), clock=clock),
        DeadlineAspect(limit_s=CALL_LIMIT_S, exempt=ENDLESS),
        AccessAspect(rules=read_rules([DESCRIPTOR, PUSH_DESCRIPTOR]), source=source, keys=keys, audience=AUDIENCE),
    ]


def _parts(
    *,
    pool: Pool,
    bus: Bus,
    access: Access,
    report_hosts: Report,
    store: Store,
    layouts: NewLayouts,
    admission: Admission,
    condition: Condition,
    metrics: IngestMetrics,
    clock: Clock,
    times: StreamTimes,
) -> Parts:
    """What the streams share."""
    rng = random.Random()  # noqa: S311 - spreads load, hides nothing
    announcer = Announcer(bus=bus, metrics=metrics.live)
    return Parts(
        writer=Writer(
            store=store,
            admission=admission,
            announce=announcer.committed,
            condition=condition,
            metrics=metrics,
            clock=clock,
            rng=rng,
        ),
        ledger=Ledger(store=LedgerStore(pool=pool), clock=clock, on_failure=metrics.streams.ledger_failures.inc),
        admission=admission,
        layout_ids=LayoutIds(store=layouts.store),
        watched=Watched(bus=bus, clock=clock),
        announcer=announcer,
        access=access,
        minding=Minding(access=access, look_every_s=times.look_every_s, ask_every_s=times.access_every_s, clock=clock),
        rounds=Rounds(every_s=times.look_every_s, clock=clock),
        metrics=metrics,
        times=times,
        hosts=Hosts(report=report_hosts, metrics=metrics.hosts, clock=clock, rng=rng),
        clock=clock,
        rng=rng,
    )


def _pushes(*, pool: Pool, store: Store, access: PushAccess, parts: Parts, registry: CollectorRegistry) -> Registration:
    """The service that takes pushes."""
    push = Push(
        store=PushStore(pool=pool, store=store),
        layout_ids=parts.layout_ids,
        watched=parts.watched,
        announcer=parts.announcer,
        metrics=PushMetrics(registry=registry),
        clock=parts.clock,
    )
    servicer = PushServicer(push=push, access=access, admission=parts.admission, pace=Pace(), clock=parts.clock)
    add = partial(push_pb2_grpc.add_PushServiceServicer_to_server, servicer)
    return Registration(add=add, descriptor=PUSH_DESCRIPTOR)


async def _give_back_memory(clock: Clock) -> None:
    """What a backlog or a large hour needed for a moment is not this process's for good."""
    left_bytes = 0
    while True:
        await clock.sleep(GIVE_BACK_EVERY_S)
        if resident_bytes() - left_bytes >= GIVE_BACK_BYTES:
            await asyncio.to_thread(give_back)
            left_bytes = resident_bytes()


async def _tell_room(admission: Admission, metrics: IngestMetrics, clock: Clock) -> None:
    """Tell how much is held, also while no commit ends."""
    while True:
        metrics.commits.admitted_bytes.set(admission.admitted_bytes)
        await clock.sleep(TELL_ROOM_EVERY_S)


async def _report_durability(store: Store, metrics: IngestMetrics) -> None:
    """Say at the start what every commit checks: whether an ack can keep its promise."""
    try:
        await store.check_durability()
    except NotDurableError as error:
        metrics.commits.durable.set(0)
        logger.error("nothing will be acked", extra={"why": str(error)})
    except (FlickError, asyncpg.PostgresError) as error:
        logger.warning("the database does not answer yet", extra={"why": str(error)})
    else:
        metrics.commits.durable.set(1)

"""Ingest running in this process over a real TimescaleDB and a real Redis, with an auth that the test scripts."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from prometheus_client import CollectorRegistry

from flick.bus.client import Bus, open_bus
from flick.bus.health import BusMetrics
from flick.clock import SystemClock
from flick.db.pool import Connection, Row, connect
from flick.rpc.server import TlsFiles
from flick.v1 import catalog_pb2
from services.ingest.__main__ import running
from services.ingest.config import IngestConfig
from services.ingest.intake.admission import Admission
from services.ingest.intake.samples import CORE_COUNT
from services.ingest.streams.times import StreamTimes
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import ScriptedAgent, scripted_agent
from tests.packed import read_core, read_labelled
from tests.tiny_auth import Enrolled, TinyAuth, make_auth
from tests.waiting import eventually

QUICK = StreamTimes(
    look_every_s=0.05,
    drain_s=0.5,
    settle_s=1.0,
    quiet_s=0.1,
    linger_s=0.4,
    access_every_s=0.2,
    claims_every_s=0.1,
)


NO_SEVENS = """
    alter table telemetry.metrics add constraint no_sevens check (substring(core for 8) is distinct from float8send(7))
"""  # a sample that the database can't store: of which the first scalar is 7


@dataclass(kw_only=True)
class IngestHouse:
    """A running ingest, and everything that a test may do behind its back."""

    address: str
    auth: TinyAuth
    auth_serving: AsyncExitStack
    serving: AsyncExitStack
    database: Connection
    same_role: Connection
    bus: Bus
    registry: CollectorRegistry

    async def enroll(self, **settings: Any) -> Enrolled:
        """A new server, once ingest knows of its key."""
        enrolled = self.auth.enroll(**settings)
        await self.knows(enrolled)
        return enrolled

    async def knows(self, enrolled: Enrolled) -> None:
        """Wait until ingest knows of a server's key."""

        async def known() -> bool:
            async with self.agent(enrolled) as agent:
                try:
                    await agent.hello()
                except grpc.aio.AioRpcError:
                    return False
                return True

        assert await eventually(known, bool, within_s=5, every_s=0.02)

    def agent(self, enrolled: Enrolled) -> AbstractAsyncContextManager[ScriptedAgent]:
        """A stream of the server's agent."""
        return scripted_agent(self.address, key=enrolled.key)

    async def stored(self, enrolled: Enrolled) -> list[dict[str, Any]]:
        """The server's rows in the order of time."""
        rows = await self.database.fetch(
            "select time, organization_id, received_at, layout_id, core, labelled"
            " from telemetry.metrics where server_id = $1 order by time",
            enrolled.server_id,
        )
        return [_shown(row) for row in rows]

    async def times(self, enrolled: Enrolled) -> list[int]:
        """When the server's samples were measured, in nanoseconds."""
        rows = await self.database.fetch(
            "select (extract(epoch from time) * 1000000)::bigint * 1000 as time"
            " from telemetry.metrics where server_id = $1 order by time",
            enrolled.server_id,
        )
        return [row["time"] for row in rows]

    def count(self, name: str, **labels: str) -> float:
        """The value of one of ingest's own metrics."""
        return self.registry.get_sample_value(f"flick_ingest_{name}", labels) or 0.0

    def counted(self, name: str) -> float:
        """The sum over all labels of one of ingest's own counters."""
        return sum(
            one.value
            for family in self.registry.collect()
            for one in family.samples
            if one.name == f"flick_ingest_{name}_total"
        )

    async def end_connections(self) -> None:
        """End ingest's connections to the database, as a crash would; only its own role may."""
        await self.same_role.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'flick-ingest' and datname = current_database()"
        )

    async def waits_for_a_lock(self) -> None:
        """Wait until ingest waits for a lock that the test holds."""

        async def waiting() -> bool:
            count = await self.same_role.fetchval(
                "select count(*) from pg_stat_activity"
                " where wait_event_type = 'Lock' and application_name = 'flick-ingest' and datname = current_database()"
            )
            return bool(count)

        assert await eventually(waiting, bool, within_s=5, every_s=0.01)

    async def settled(self) -> None:
        """Wait until no stream is open."""

        async def streams() -> float:
            return self.count("streams")

        assert await eventually(streams, lambda count: count == 0, within_s=5, every_s=0.01) == 0


def _shown(row: Row) -> dict[str, Any]:
    """A row with its values as numbers, some of the scalars by their names."""
    core = read_core(row["core"], count=CORE_COUNT)
    values = {
        "cpu_utilization": core[catalog_pb2.METRIC_CPU_UTILIZATION - 1],
        "uptime": core[catalog_pb2.METRIC_UPTIME - 1],
        "labelled": read_labelled(row["labelled"]),
    }
    return dict(row) | values


@asynccontextmanager
async def ingest_house(
    *,
    postgres: DatabaseServer,
    database: str,
    redis_url: str,
    times: StreamTimes = QUICK,
    admission: Admission | None = None,
    auth: TinyAuth | None = None,
    tls: TlsFiles | None = None,
) -> AsyncIterator[IngestHouse]:
    """Ingest, serving while entered; in plaintext unless `tls` is given."""
    auth, registry, clock = auth or make_auth(), CollectorRegistry(), SystemClock()
    async with AsyncExitStack() as stack:
        auth_serving = await stack.enter_async_context(AsyncExitStack())
        auth_address = await auth_serving.enter_async_context(auth.serving())
        owner = await connect(postgres.url(database=database), application_name="test")
        stack.push_async_callback(owner.close)
        ingest_url = postgres.url(database=database, role="flick_ingest")
        same_role = await connect(ingest_url, application_name="test")
        stack.push_async_callback(same_role.close)
        bus = await stack.enter_async_context(
            open_bus(redis_url, name="test", clock=clock, metrics=BusMetrics(registry=CollectorRegistry()))
        )
        config = IngestConfig(
            database_url=ingest_url,
            redis_url=redis_url,
            auth_address=auth_address,
            service_secret="secret",
            listen="127.0.0.1:0",
            tls_cert_file=tls.certificate if tls else None,
            tls_key_file=tls.key if tls else None,
        )
        serving = await stack.enter_async_context(AsyncExitStack())
        server = await serving.enter_async_context(
            running(config, clock=clock, registry=registry, times=times, admission=admission or Admission())
        )
        yield IngestHouse(
            address=server.address,
            auth=auth,
            auth_serving=auth_serving,
            serving=serving,
            database=owner,
            same_role=same_role,
            bus=bus,
            registry=registry,
        )

"""A query that knows its operator, over a database of its own, with pages of ingest and gateway that tests write."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio
import redis.asyncio
from prometheus_client import CollectorRegistry

from flick.clock import SystemClock
from flick.ids import new_id
from flick.rpc.client import open_channel
from flick.telemetry import serve_metrics
from flick.v1 import ingest_pb2, options_pb2, stats_pb2, stats_pb2_grpc
from gateway.metrics import GatewayMetrics
from services.ingest.metrics import IngestMetrics
from services.query.__main__ import running
from services.query.config import QueryConfig
from services.query.watch.times import WatchTimes
from tests.databases import DatabaseServer
from tests.integration.ingest.schema import telemetry_template
from tests.tiny_auth import Metadata, TinyAuth, make_auth
from tests.waiting import eventually


@dataclass(kw_only=True)
class StatsHouse:
    """A running query, who may ask it, and what it reads."""

    stats: "stats_pb2_grpc.StatsServiceAsyncStub"
    auth: TinyAuth
    connection: "asyncpg.Connection[Any]"
    redis: "redis.asyncio.Redis"
    ingest: IngestMetrics
    gateway: GatewayMetrics
    operator_id: str
    operator: Metadata
    registry: CollectorRegistry
    data_dir: Path
    targets: tuple[str, ...]

    async def ask(self, metadata: Metadata | None = None, organization_id: str = "") -> stats_pb2.GetStatsResponse:
        """The figures, as the operator sees them or who else is named."""
        request = stats_pb2.GetStatsRequest(organization_id=organization_id)
        answer: stats_pb2.GetStatsResponse = await self.stats.GetStats(request, metadata=metadata or self.operator)
        return answer

    async def admin(self, organization_id: str) -> Metadata:
        """An admin of an organization, once query knows of them."""
        _, metadata = self.auth.person(organization_id=organization_id, role=options_pb2.ROLE_ADMIN)
        await self._known(metadata)
        return metadata

    async def _known(self, metadata: Metadata) -> None:
        async def allowed() -> bool:
            try:
                await self.ask(metadata)
            except Exception:  # noqa: BLE001 - refused as long as it is not known
                return False
            return True

        assert await eventually(allowed, bool, within_s=5, every_s=0.02)

    async def stream(
        self,
        organization_id: str,
        *,
        version: str = "1.0.0",
        instance_id: str = "",
        opened_ago: timedelta = timedelta(0),
        ended: bool = False,
        spool: ingest_pb2.SpoolStatus | None = None,
    ) -> str:
        """The newest stream of a new server, as ingest notes it; returns the server's id."""
        server_id = str(new_id())
        await self.connection.execute(
            "insert into telemetry.streams (server_id, organization_id, stream_id, instance_id, spool_id, "
            "agent_version, opened_at, said_hello_at, spool, spool_at, ended_at, end_reason) "
            "values ($1, $2, $3, $4, 'spool', $5, "
            "now() - $6::interval, now(), $7, case when $7::bytea is not null then now() end, "
            "case when $8 then now() end, case when $8 then 'client' end)",
            server_id,
            organization_id,
            str(new_id()),
            instance_id or str(new_id()),
            version,
            opened_ago,
            None if spool is None else spool.SerializeToString(),
            ended,
        )
        return server_id

    async def sample(self, server_id: str, *, time: datetime, lag: timedelta) -> None:
        """A sample that came so late."""
        await self.connection.execute(
            "insert into telemetry.metrics (time, server_id, organization_id, received_at, core)"
            " values ($1, $2, $3, $4, '')",
            time,
            server_id,
            self.operator_id,
            time + lag,
        )


@pytest_asyncio.fixture
async def house(postgres: DatabaseServer, redis_url: str, tmp_path: Path) -> AsyncIterator[StatsHouse]:
    async with stats_house(postgres, redis_url, data_dir=tmp_path) as running_house:
        yield running_house


@asynccontextmanager
async def stats_house(
    postgres: DatabaseServer, redis_url: str, *, data_dir: Path, query_redis_url: str = ""
) -> AsyncIterator[StatsHouse]:
    """A query, serving while entered. `query_redis_url` is the way on which query itself reaches Redis."""
    auth, clock = make_auth(), SystemClock()
    operator_id = str(new_id())
    _, operator = auth.person(organization_id=operator_id, role=options_pb2.ROLE_OWNER)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres.database(template=await telemetry_template(postgres)))
        connection = await asyncpg.connect(postgres.url(database=database))
        stack.push_async_callback(connection.close)
        client = redis.asyncio.from_url(redis_url)
        stack.push_async_callback(client.aclose)
        pages = {name: CollectorRegistry() for name in ("ingest", "gateway")}
        ingest, gateway = IngestMetrics(registry=pages["ingest"]), GatewayMetrics(registry=pages["gateway"])
        ingest.commits.durable.set(1)  # as ingest itself does at its start
        targets = [
            f"{name}={await stack.enter_async_context(serve_metrics(listen='127.0.0.1:0', registry=registry))}"
            for name, registry in pages.items()
        ]
        config = QueryConfig(
            database_url=postgres.url(database=database, role="flick_query"),
            redis_url=query_redis_url or redis_url,
            auth_address=await stack.enter_async_context(auth.serving()),
            service_secret="secret",
            listen="127.0.0.1:0",
            metrics_targets=(*targets, "auth=127.0.0.1:1"),
            database_dir=data_dir,
            operator_organization_id=operator_id,
        )
        times, registry = WatchTimes(), CollectorRegistry()
        server = await stack.enter_async_context(running(config, clock=clock, registry=registry, times=times))
        channel = await stack.enter_async_context(open_channel(server.address))
        yield StatsHouse(
            stats=stats_pb2_grpc.StatsServiceStub(channel),
            auth=auth,
            connection=connection,
            redis=client,
            ingest=ingest,
            gateway=gateway,
            operator_id=operator_id,
            operator=operator,
            registry=registry,
            data_dir=data_dir,
            targets=tuple(targets),
        )

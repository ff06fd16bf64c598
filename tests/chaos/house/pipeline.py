"""The path of samples under load: an ingest over servers that a test may break, and agents that log what they hear."""

import json
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.machine.ports import free_port
from flick.db.pool import connect
from flick.lifecycle import background
from flick.rpc.client import open_channel
from flick.v1 import query_pb2, query_pb2_grpc
from tests.chaos.checking.checker import Findings, check
from tests.chaos.house.crowd import tls_settings
from tests.chaos.load import LoadAgent
from tests.databases import DatabaseServer
from tests.deployables import Program, program
from tests.integration.agent.certificates import Authority
from tests.integration.ingest.process import ingest_environment
from tests.tiny_auth import Enrolled, TinyAuth, make_auth
from tests.waiting import eventually, until

AGENTS = 20
INTERVAL_S = 0.2
SEED = 20_260
_MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A running ingest and its agents, which begin within `under_load`.

    Attributes:
        ingest: the process; it is never started again, so whatever recovers does so by itself.
        auth, auth_address: who knows the agents.
        enrolled: the agents' servers.
        metrics, log: where its /metrics and its log are.
        owner_url: the database as its owner.
    """

    ingest: Program
    auth: TinyAuth
    auth_address: str
    enrolled: Sequence[Enrolled]
    agents: list[LoadAgent]
    metrics: str
    log: Path
    owner_url: str

    @property
    def acked(self) -> int:
        """How many samples are acked."""
        return sum(agent.acked_total for agent in self.agents)

    @property
    def alive(self) -> bool:
        """Whether ingest has never ended."""
        return self.ingest.process.returncode is None

    def rss_mib(self) -> float:
        """What ingest holds in memory, in MiB."""
        return psutil.Process(self.ingest.process.pid).memory_info().rss / _MIB

    async def next_ack(self, *, within_s: float = 60.0) -> float:
        """Wait for the next ack; its moment, by the monotonic clock."""
        before = self.acked
        await until(lambda: self.acked > before, within_s=within_s)
        return time.monotonic()

    async def flows(self, *, within_s: float = 60.0) -> None:
        """Wait until every agent has had a further ack."""
        since_s = time.monotonic()
        await until(lambda: all(agent.acked_at_s > since_s for agent in self.agents), within_s=within_s)

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's values that have these labels."""
        return await read_metric(self.metrics, name, **labels)

    async def commits_serve(self) -> bool:
        """What ingest's health says of its commits."""
        async with open_channel(self.ingest.address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(service="commits"))
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The log's records with that message."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["message"] == message]

    async def findings(self) -> Findings:
        """What the checker says; to be asked when everything has settled."""
        owner = await connect(self.owner_url, application_name="checker", statement_timeout_s=None)
        try:
            return await check(owner, self.agents)
        finally:
            await owner.close()


@asynccontextmanager
async def pipeline(
    *,
    postgres: DatabaseServer,
    database: str,
    redis_url: str,
    folder: Path,
    module: str = "services.ingest",
    agents: int = AGENTS,
    interval_s: float = INTERVAL_S,
    authority: Authority | None = None,
) -> AsyncIterator[Pipeline]:
    """An ingest, serving while entered, and agents that know it. With an authority over TLS, as real agents want it."""
    auth, rng = make_auth(), random.Random(SEED)
    enrolled = [auth.enroll() for _ in range(agents)]
    metrics, log = f"127.0.0.1:{free_port()}", folder / "ingest.log"
    async with auth.serving() as auth_address:
        environment = {
            **ingest_environment(postgres=postgres, database=database, redis_url=redis_url, auth_address=auth_address),
            "FLICK_INGEST_METRICS_LISTEN": metrics,
            **(tls_settings(authority, folder) if authority else {}),
        }
        async with program(module, environment=environment, log=log) as ingest:
            yield Pipeline(
                ingest=ingest,
                auth=auth,
                auth_address=auth_address,
                enrolled=enrolled,
                agents=[_agent(ingest.address, one, interval_s, rng, authority) for one in enrolled],
                metrics=metrics,
                log=log,
                owner_url=postgres.url(database=database),
            )


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Query and gateway beside a pipeline. `headers` are those of somebody who may see the first agent's server."""

    api: httpx.AsyncClient
    query: str
    query_metrics: str
    server_id: str
    metadata: tuple[tuple[str, str], ...]

    async def history(self) -> tuple[int, float]:
        """Ask for the last minutes of a metric; the HTTP status and how many seconds it took."""
        began_s = time.monotonic()
        answer = await self.api.get(f"/api/v1/servers/{self.server_id}/metrics", params={"names": "system.uptime"})
        return answer.status_code, time.monotonic() - began_s

    async def latest(self) -> int:
        """Ask for the newest values; the HTTP status."""
        return (await self.api.get(f"/api/v1/servers/{self.server_id}/metrics:latest")).status_code

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch the server while entered."""
        async with open_channel(self.query) as channel:
            stub: query_pb2_grpc.QueryServiceAsyncStub = query_pb2_grpc.QueryServiceStub(channel)
            call = stub.WatchMetrics(query_pb2.WatchMetricsRequest(server_ids=[self.server_id]), metadata=self.metadata)

            async def look() -> None:
                async for _ in call:
                    continue

            async with background(look(), name="viewer"):
                yield

    async def live(self, *, within_s: float = 60.0) -> None:
        """Wait until a further sample came to viewers by Redis."""

        async def heard() -> float:
            return await read_metric(self.query_metrics, "flick_query_live_updates_total", source="redis")

        before = await heard()
        assert await eventually(heard, lambda count: count > before, within_s=within_s, every_s=0.1) > before


@asynccontextmanager
async def reader(
    line: Pipeline, *, postgres: DatabaseServer, database: str, redis_url: str, folder: Path
) -> AsyncIterator[Reader]:
    """Query and a gateway, serving while entered, and a viewer of the first agent's server."""
    shown = line.enrolled[0]
    _, metadata = line.auth.person(organization_id=shown.organization_id)
    metrics = f"127.0.0.1:{free_port()}"
    query_environment = {
        "FLICK_QUERY_LISTEN": "127.0.0.1:0",
        "FLICK_QUERY_METRICS_LISTEN": metrics,
        "FLICK_QUERY_DATABASE_URL": postgres.url(database=database, role="flick_query"),
        "FLICK_QUERY_SERVICE_SECRET": "secret",
        "FLICK_REDIS_URL": redis_url,
        "FLICK_AUTH_ADDRESS": line.auth_address,
    }
    async with program("services.query", environment=query_environment, log=folder / "query.log") as query:
        gateway_environment = {
            "FLICK_GATEWAY_LISTEN": "127.0.0.1:0",
            "FLICK_AUTH_ADDRESS": line.auth_address,
            "FLICK_QUERY_ADDRESS": query.address,
            "FLICK_INGEST_ADDRESS": query.address,  # nothing is pushed here
        }
        async with (
            program("gateway", environment=gateway_environment, log=folder / "gateway.log") as gateway,
            httpx.AsyncClient(base_url=f"http://{gateway.address}", headers=dict(metadata), timeout=60.0) as api,
        ):
            yield Reader(
                api=api, query=query.address, query_metrics=metrics, server_id=shown.server_id, metadata=metadata
            )


async def read_metric(address: str, name: str, **labels: str) -> float:
    """The sum of a metric's values, of those at `address` that have these labels."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://{address}/metrics")).text
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name and _has(one.labels, labels)
    )


def _has(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(found.get(name) == value for name, value in wanted.items())


def _agent(
    address: str, enrolled: Enrolled, interval_s: float, rng: random.Random, authority: Authority | None
) -> LoadAgent:
    return LoadAgent(
        ca_pem=authority.pem.encode() if authority else None,
        address=address,
        key=enrolled.key,
        server_id=enrolled.server_id,
        interval_s=interval_s,
        rng=random.Random(rng.random()),
        backoff_cap_s=1.0,
    )

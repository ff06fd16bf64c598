"""The real ingest with a PostgreSQL and a Redis of its own, and what all of them have cost so far."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from deploy.local.machine.account import database_account
from flick.db.pool import Connection, connect
from tests.bench.cpu import family_cpu_s, process_cpu_s
from tests.bench.ingest.sealing import SealCosts, seal_everything
from tests.folders import reachable_folder
from tests.integration.ingest.process import ingest_process
from tests.integration.ingest.schema import telemetry_template
from tests.servers import postgres_server, redis_server
from tests.tiny_auth import make_auth


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Processor time in seconds."""

    ingest: float
    postgres: float
    redis: float

    def __sub__(self, other: "Costs") -> "Costs":
        return Costs(
            ingest=self.ingest - other.ingest, postgres=self.postgres - other.postgres, redis=self.redis - other.redis
        )

    @property
    def total(self) -> float:
        """All together."""
        return self.ingest + self.postgres + self.redis


@dataclass(frozen=True, kw_only=True)
class IngestServer:
    """A running ingest. `keys`: one agent's key for each stream that a load may open; `server_ids`: whose they are."""

    address: str
    keys: list[str]
    server_ids: list[str]
    pid: int
    postgres_pid: int
    redis_pid: int
    database: Connection
    same_role: Connection

    async def costs(self) -> Costs:
        """What everything has cost so far, with the pages written that are still to be written for it."""
        await self.database.execute("checkpoint")
        return Costs(
            ingest=process_cpu_s(self.pid),
            postgres=family_cpu_s(self.postgres_pid),
            redis=process_cpu_s(self.redis_pid),
        )

    async def seal(self) -> SealCosts:
        """Seal everything that is stored."""
        return await seal_everything(ingest=self.same_role, admin=self.database, postgres_pid=self.postgres_pid)

    async def stored(self) -> int:
        """How many samples are in the table; each must have its processes."""
        samples = await self.database.fetchval("select count(*) from telemetry.metrics")
        snapshots = await self.database.fetchval("select count(*) from telemetry.processes")
        assert samples == snapshots, "a sample without processes is cheaper; the figure would mean nothing"
        return int(samples)


@asynccontextmanager
async def ingest_server(*, streams: int, environment: Mapping[str, str] | None = None) -> AsyncIterator[IngestServer]:
    """Ingest for so many agents."""
    account = database_account()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(reachable_folder())
        postgres, postgres_pid = await stack.enter_async_context(postgres_server(account))
        redis_url, redis_pid = await stack.enter_async_context(redis_server(account))
        database = await stack.enter_async_context(postgres.database(template=await telemetry_template(postgres)))
        auth = make_auth()
        enrolled = [auth.enroll() for _ in range(streams)]
        running = await stack.enter_async_context(
            ingest_process(
                postgres=postgres,
                database=database,
                redis_url=redis_url,
                log=folder / "ingest.log",
                auth=auth,
                environment=environment or {},
            )
        )
        admin = await connect(postgres.admin_url(database=database), application_name="bench", statement_timeout_s=None)
        stack.push_async_callback(admin.close)
        same_role = await connect(postgres.url(database=database, role="flick_ingest"), application_name="bench")
        stack.push_async_callback(same_role.close)
        yield IngestServer(
            address=running.address,
            keys=[one.key for one in enrolled],
            server_ids=[one.server_id for one in enrolled],
            pid=running.program.process.pid,
            postgres_pid=postgres_pid,
            redis_pid=redis_pid,
            database=admin,
            same_role=same_role,
        )

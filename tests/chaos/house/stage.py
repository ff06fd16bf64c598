"""A whole house for long scenarios: servers of its own, ingest, the network in between, and the load as a program."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.machine.account import database_account
from flick.db.pool import connect
from tests.chaos.checking.checker import Findings, check
from tests.chaos.faults.own_postgres import OwnPostgres, own_postgres
from tests.chaos.faults.own_redis import OwnRedis, own_redis
from tests.chaos.house.restarted import RestartedIngest, restarted_ingest
from tests.chaos.house.vitals import Vitals, recorded
from tests.chaos.load.program import LoadProgram, Plan, load_program
from tests.folders import reachable_folder
from tests.integration.ingest.schema import telemetry_template
from tests.network.proxy import FaultProxy, Link
from tests.servers import fetched_runtime
from tests.tiny_auth import TinyAuth, make_auth


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs, and that a scenario may break."""

    postgres: OwnPostgres
    database: str
    redis: OwnRedis
    auth: TinyAuth
    auth_serving: AsyncExitStack
    auth_port: int
    ingest: RestartedIngest
    proxy: FaultProxy
    load: LoadProgram
    vitals: Vitals

    async def auth_away(self, seconds: float) -> None:
        """Have auth not answer for a while."""
        await self.auth_serving.aclose()
        await asyncio.sleep(seconds)
        await self.auth_serving.enter_async_context(self.auth.serving(port=self.auth_port))

    async def sealed(self) -> tuple[int, int]:
        """How many samples lie in sealed hours, and in how many blocks."""
        owner = await connect(self.postgres.server.url(database=self.database), application_name="test")
        try:
            row = await owner.fetchrow("select coalesce(sum(count), 0), count(*) from telemetry.sealed_metrics")
        finally:
            await owner.close()
        assert row is not None
        return int(row[0]), int(row[1])

    async def findings(self) -> Findings:
        """What the checker says, once the load has settled."""
        owner = await connect(self.postgres.server.url(database=self.database), application_name="test")
        try:
            return await check(owner, self.load.agents)
        finally:
            await owner.close()


@asynccontextmanager
async def stage(
    *,
    agents: int,
    folder: Path,
    seed: int,
    interval_s: float = 1.0,
    backoff_cap_s: float = 120.0,
    past_s: float = 0.0,
    seal_after_s: int = 900,
) -> AsyncIterator[Stage]:
    """Base load B on a house of its own, running while entered; every agent has acks at the beginning.

    `past_s`: how far back that reaches which agents hand in late. `seal_after_s`: ingest's setting.
    """
    rng, runtime, account = random.Random(seed), await fetched_runtime(), database_account()
    async with AsyncExitStack() as stack:
        home = stack.enter_context(reachable_folder())
        postgres = await stack.enter_async_context(own_postgres(runtime=runtime, account=account, folder=home))
        redis = await stack.enter_async_context(own_redis(runtime=runtime, account=account, folder=home))
        template = await telemetry_template(postgres.server)
        database = await stack.enter_async_context(postgres.server.database(template=template))
        auth = make_auth()
        enrolled = [auth.enroll() for _ in range(agents)]
        auth_serving = await stack.enter_async_context(AsyncExitStack())
        auth_address = await auth_serving.enter_async_context(auth.serving())
        ingest = await stack.enter_async_context(
            restarted_ingest(
                postgres=postgres.server, database=database, redis_url=redis.url, auth_address=auth_address,
                folder=folder, FLICK_INGEST_SEAL_AFTER_S=str(seal_after_s),
            )
        )  # fmt: skip
        proxy = FaultProxy(targets=lambda: ingest.address, link=Link(), rng=rng)
        plan = Plan(
            address=await stack.enter_async_context(proxy.serving()),
            agents={one.server_id: one.key for one in enrolled},
            folder=str(folder / "load"),
            interval_s=interval_s,
            seed=seed,
            backoff_cap_s=backoff_cap_s,
            past_s=past_s,
        )
        load = await stack.enter_async_context(load_program(plan))

        def pids() -> Mapping[str, int | None]:
            return {"ingest": ingest.pid, "load": load.process.pid}

        vitals = await stack.enter_async_context(recorded(pids))
        await load.all_acked_again(since_s=0.0, within_s=60)
        yield Stage(
            postgres=postgres,
            database=database,
            redis=redis,
            auth=auth,
            auth_serving=auth_serving,
            auth_port=int(auth_address.rpartition(":")[2]),
            ingest=ingest,
            proxy=proxy,
            load=load,
            vitals=vitals,
        )

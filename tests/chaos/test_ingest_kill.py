"""kill -9 of ingest under load: what was acked is stored, everything else is sent again, nothing is there twice."""

import asyncio
import random
from pathlib import Path

from flick.db.pool import Connection, connect
from tests.chaos.checker import Findings, check
from tests.chaos.load import LoadAgent, under_load
from tests.chaos.restarted import restarted_ingest
from tests.databases import DatabaseServer
from tests.integration.ingest.schema import telemetry_template
from tests.tiny_auth import make_auth

SEED = 20_260
AGENTS = 20
KILLS = 3


async def test_killed_at_random_moments_it_loses_nothing_that_was_acked(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    auth = make_auth()
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        auth.serving() as auth_address,
        restarted_ingest(
            postgres=postgres, database=database, redis_url=redis_url, auth_address=auth_address, folder=tmp_path
        ) as ingest,
    ):
        enrolled = [auth.enroll() for _ in range(AGENTS)]
        agents = [
            LoadAgent(
                address=ingest.address,
                key=one.key,
                server_id=one.server_id,
                interval_s=0.05,
                rng=random.Random(rng.random()),
                backoff_cap_s=1.0,
            )
            for one in enrolled
        ]
        async with under_load(agents):
            for _ in range(KILLS):
                await asyncio.sleep(rng.uniform(0.3, 1.5))
                await ingest.kill()
            await asyncio.sleep(0.5)
        owner = await connect(postgres.url(database=database), application_name="test")
        findings = await check(owner, agents)
        seen = await _damaged_step_by_step(owner, agents)
        await owner.close()

    assert ingest.starts == KILLS + 1
    assert findings.acked > KILLS * AGENTS
    assert findings.clean, findings
    assert findings.rejected == 0
    assert seen == {"deleted": (1, 0, 0), "changed": (1, 1, 0), "without processes": (1, 2, 0), "doubled": (1, 2, 1)}, (
        "the checker is blind"
    )


async def _damaged_step_by_step(owner: Connection, agents: list[LoadAgent]) -> dict[str, tuple[int, int, int]]:
    """What the checker says of lost, changed and doubled samples after each damage to the tables."""
    at = await owner.fetch("select time, server_id from telemetry.metrics order by time, server_id limit 4")
    damages = {
        "deleted": (
            "with gone as (delete from telemetry.processes where (time, server_id) = ($1, $2))"
            " delete from telemetry.metrics where (time, server_id) = ($1, $2)"
        ),
        "changed": "update telemetry.metrics set labelled[7] = labelled[7] + 1 where (time, server_id) = ($1, $2)",
        "without processes": "delete from telemetry.processes where (time, server_id) = ($1, $2)",
        "doubled": "insert into telemetry.metrics select * from telemetry.metrics where (time, server_id) = ($1, $2)",
    }
    await owner.execute("drop index telemetry.metrics_key")
    seen = {}
    for (name, statement), row in zip(damages.items(), at, strict=True):
        await owner.execute(statement, row["time"], row["server_id"])
        found: Findings = await check(owner, agents)
        seen[name] = (found.acked_not_stored, found.changed, found.duplicated)
    return seen

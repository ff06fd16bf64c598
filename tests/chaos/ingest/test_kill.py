"""kill -9 of ingest under load: what was acked is stored, everything else is sent again, nothing is there twice."""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from flick.db.pool import Connection, connect
from tests.chaos.checking.checker import Findings, Logged, check
from tests.chaos.house.restarted import restarted_ingest
from tests.chaos.house.vitals import recorded
from tests.chaos.load.program import Plan, load_program
from tests.databases import DatabaseServer
from tests.integration.ingest.schema import telemetry_template
from tests.tiny_auth import make_auth

SEED = 20_260


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How hard: `pause_s` between an agent's return and the next kill."""

    agents: int
    interval_s: float
    kills: int
    pause_s: tuple[float, float]
    backoff_cap_s: float


SHORT = _Form(agents=20, interval_s=0.1, kills=2, pause_s=(0.0, 1.0), backoff_cap_s=1.0)
# Every pause is longer than the minute of health after which an agent's backoff begins anew.
LONG = _Form(agents=200, interval_s=1.0, kills=20, pause_s=(61.0, 75.0), backoff_cap_s=120.0)


@pytest.mark.timeout(3600)
async def test_killed_at_random_moments_it_loses_nothing_that_was_acked(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    rng, form, auth = random.Random(SEED), LONG if long_form else SHORT, make_auth()
    enrolled = [auth.enroll() for _ in range(form.agents)]
    backs_s = []
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        auth.serving() as auth_address,
        restarted_ingest(
            postgres=postgres, database=database, redis_url=redis_url, auth_address=auth_address, folder=tmp_path
        ) as ingest,
    ):
        plan = Plan(
            address=ingest.address,
            agents={one.server_id: one.key for one in enrolled},
            folder=str(tmp_path / "load"),
            interval_s=form.interval_s,
            backoff_cap_s=form.backoff_cap_s,
        )
        async with (
            load_program(plan) as load,
            recorded(lambda: {"ingest": ingest.pid, "load": load.process.pid}) as vitals,
        ):
            await load.all_acked_again(since_s=0.0, within_s=60)
            for _ in range(form.kills):
                await asyncio.sleep(rng.uniform(*form.pause_s))
                killed_s = time.monotonic()
                await ingest.kill()
                backs_s.append(await load.all_acked_again(since_s=killed_s, within_s=60))
            await load.settle()
            agents = load.agents
        owner = await connect(postgres.url(database=database), application_name="test")
        findings = await check(owner, agents)
        seen = await _damaged_step_by_step(owner, agents)
        await owner.close()
    print(  # noqa: T201
        f"\nserving again after {_told(ingest.restarts_s)}, acks of every agent after {_told(backs_s)};"
        f" ingest {vitals.peak_rss_mib('ingest'):.0f} MiB at most; {findings}"
    )

    assert ingest.starts == form.kills + 1
    assert findings.clean, findings
    assert (findings.rejected, findings.dropped) == (0, 0)
    assert findings.acked > form.kills * form.agents
    assert seen == {"deleted": (1, 0, 0), "changed": (1, 1, 0), "without processes": (1, 2, 0), "doubled": (1, 2, 1)}, (
        "the checker is blind"
    )


def _told(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.1f} s (at most {max(seconds):.1f} s)"


async def _damaged_step_by_step(owner: Connection, agents: Sequence[Logged]) -> dict[str, tuple[int, int, int]]:
    """What the checker says of lost, changed and doubled samples after each damage to the tables."""
    at = await owner.fetch("select time, server_id from telemetry.metrics order by time, server_id limit 4")
    damages = {
        "deleted": (
            "with gone as (delete from telemetry.processes where (time, server_id) = ($1, $2))"
            " delete from telemetry.metrics where (time, server_id) = ($1, $2)"
        ),
        "changed": (
            "update telemetry.metrics set labelled = set_byte(labelled, 24, get_byte(labelled, 24) # 1)"
            " where (time, server_id) = ($1, $2)"
        ),
        "without processes": "delete from telemetry.processes where (time, server_id) = ($1, $2)",
        "doubled": "insert into telemetry.metrics select * from telemetry.metrics where (time, server_id) = ($1, $2)",
    }
    concerned = [agent for agent in agents if agent.server_id in {str(row["server_id"]) for row in at}]
    await owner.execute("drop index telemetry.metrics_key")
    seen = {}
    for (name, statement), row in zip(damages.items(), at, strict=True):
        await owner.execute(statement, row["time"], row["server_id"])
        found: Findings = await check(owner, concerned)
        seen[name] = (found.acked_not_stored, found.changed, found.duplicated)
    return seen

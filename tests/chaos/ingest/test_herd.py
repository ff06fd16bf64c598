"""Many agents lose ingest at once: they come back spread out, all of them, and auth is not asked for each."""

import random
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from flick.db.pool import connect
from tests.chaos.checking.checker import check
from tests.chaos.house.crowd import tls_settings
from tests.chaos.house.restarted import restarted_ingest
from tests.chaos.load.program import Plan, load_program
from tests.databases import DatabaseServer
from tests.integration.agent.certificates import Authority
from tests.integration.ingest.schema import telemetry_template
from tests.network.proxy import FaultProxy, Link
from tests.tiny_auth import make_auth

SEED = 17


@dataclass(frozen=True, kw_only=True)
class _Form:
    """`peak` is the most connections within a second once ingest is back."""

    agents: int
    interval_s: float
    away_s: float
    back_within_s: float
    peak: int


# A short absence has let the waits grow less, so its herd is denser for its size.
SHORT = _Form(agents=50, interval_s=0.5, away_s=2.0, back_within_s=60.0, peak=35)
LONG = _Form(agents=500, interval_s=5.0, away_s=60.0, back_within_s=120.0, peak=50)


@pytest.mark.timeout(400)
async def test_a_herd_comes_back_spread_out(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    form, rng, auth, authority = LONG if long_form else SHORT, random.Random(SEED), make_auth(), Authority()
    enrolled = [auth.enroll() for _ in range(form.agents)]
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        auth.serving() as auth_address,
        restarted_ingest(
            postgres=postgres,
            database=database,
            redis_url=redis_url,
            auth_address=auth_address,
            folder=tmp_path,
            **tls_settings(authority, tmp_path),
        ) as ingest,
    ):
        proxy = FaultProxy(targets=lambda: ingest.address, link=Link(), rng=rng)
        async with proxy.serving() as address:
            plan = Plan(
                address=address,
                agents={one.server_id: one.key for one in enrolled},
                folder=str(tmp_path / "load"),
                ca_pem=authority.pem,
                interval_s=form.interval_s,
            )
            async with load_program(plan) as load:
                await load.all_acked_again(since_s=0.0, within_s=60)
                lost_s, look_ups = time.monotonic(), auth.look_ups
                await ingest.kill(away_s=form.away_s)
                back_s = time.monotonic()
                await load.all_acked_again(since_s=back_s, within_s=form.back_within_s)
                took_s = time.monotonic() - back_s
                processor_s = sum(psutil.Process(ingest.pid).cpu_times()[:2])
                asked = auth.look_ups - look_ups
                await load.settle()
        owner = await connect(postgres.url(database=database), application_name="test")
        findings = await check(owner, load.agents)
        await owner.close()
    peak, peak_away = proxy.busiest_second(since_s=back_s), proxy.busiest_second(since_s=lost_s)
    print(  # noqa: T201
        f"\n{form.agents} agents back {took_s:.1f} s after ingest: at most {peak} connections a second then"
        f" ({peak_away} while it was away), {asked} look-ups in auth, {processor_s:.1f} s of ingest's processor"
    )

    assert findings.clean, findings
    assert peak <= form.peak
    assert asked <= form.agents / 10
    assert processor_s < took_s

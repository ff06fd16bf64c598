"""kill -9 over all parts of a whole house, as `flick up` runs it: zero acked samples lost or doubled."""

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy.local.embedded.database import DATABASE
from deploy.local.embedded.postgres import SUPERUSER
from flick import tokens
from flick.db.pool import Connection, connect
from flick.ids import new_id
from tests.chaos.checking.checker import check
from tests.chaos.checking.stored import read_times_us
from tests.chaos.load.program import LoadProgram, Plan, load_program
from tests.e2e.installation import Installation, flick_up
from tests.waiting import eventually

SEED = 100
METRIC_INTERVAL_S = 5  # of a server whose settings nobody has changed
_FRESH = "select max(time) > now() - interval '15 seconds' from telemetry.metrics where server_id = $1"
# The agent tells of more than two intervals without a sample. $3: when those that are stored were measured.
_HOLES = """
    select count(*) from (
        select time, lag(time) over (order by time) as before
        from (select to_timestamp(time_us / 1000000.0) as time from unnest($3::bigint[]) as stored (time_us)) as moments
    ) as pairs
    where time - before > interval '2.5 seconds' * $2 and not exists (
        select from telemetry.gaps where server_id = $1 and start_time < pairs.time and end_time > pairs.before
    )
"""


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How hard. A kill that does not wait comes while the part killed before it is still away."""

    agents: int
    interval_s: float
    kills: int
    pause_s: tuple[float, float]
    waits: float
    backoff_cap_s: float


SHORT = _Form(agents=10, interval_s=0.2, kills=5, pause_s=(0.5, 1.0), waits=0.0, backoff_cap_s=2.0)
# With a kill every few seconds the backoff's own cap of two minutes would be all that is seen.
LONG = _Form(agents=100, interval_s=1.0, kills=100, pause_s=(1.0, 5.0), waits=0.8, backoff_cap_s=5.0)

Find = Callable[[Sequence[tuple[psutil.Process, str]]], list[psutil.Process]]


def _having(*words: str, but: str = "\0") -> Find:
    return lambda found: [one for one, line in found if all(word in line for word in words) and but not in line]


PARTS: Mapping[str, Find] = {
    "an ingest worker": _having("services.ingest", "--parent"),
    "a PostgreSQL backend of ingest": _having("postgres: flick: flick_ingest"),
    "the postmaster": _having("bin/postgres -D"),
    "Redis": _having("redis-server"),
    "auth": _having("services.auth"),
    "the agent": _having("-m agent run"),
    "ingest with all its workers": _having("services.ingest", but="--parent"),
}


@dataclass(kw_only=True)
class _Kills:
    """What was killed, and the seconds until every agent had acks again where that was waited for."""

    counts: Counter[str] = field(default_factory=Counter)
    backs_s: dict[str, list[float]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        return [f"  {count:3} x {part}{self._told(part)}" for part, count in self.counts.most_common()]

    def _told(self, part: str) -> str:
        backs_s = self.backs_s.get(part)
        if not backs_s:
            return ""
        return f", acks again after {statistics.median(backs_s):.1f} s (at most {max(backs_s):.1f} s)"


@pytest.mark.timeout(5400)
async def test_kills_over_all_parts_lose_and_double_nothing_that_was_acked(
    reachable_dir: Path, tmp_path: Path, long_form: bool
) -> None:
    form, rng = LONG if long_form else SHORT, random.Random(SEED)
    async with flick_up(data_dir=reachable_dir / "data", arguments=("--workers", "2")) as house:
        owner = await connect(_address(house), application_name="test")
        plan = Plan(
            address=str(house.ready["ingest"]),
            agents=await _enrolled(owner, form.agents),
            folder=str(tmp_path / "load"),
            ca_pem=Path(str(house.ready["ca"])).read_text(),
            interval_s=form.interval_s,
            backoff_cap_s=form.backoff_cap_s,
        )
        await owner.close()
        async with load_program(plan) as load:
            await load.all_acked_again(since_s=0.0, within_s=60)
            kills = await _kill(house, load, form, rng)
            await load.all_acked_again(since_s=time.monotonic(), within_s=180)
            await load.settle()
        owner = await connect(_address(house), application_name="test")
        findings = await check(owner, load.agents)
        local = await _local_agent(owner, house.server_id)
        await owner.close()
    print("\n".join([f"\n{form.kills} kills", *kills.lines(), f"  {findings}", f"  this machine's agent: {local}"]))  # noqa: T201

    assert kills.counts.total() == form.kills
    assert findings.clean, findings
    assert (findings.rejected, findings.dropped) == (0, 0)
    assert findings.acked > form.kills * form.agents / 10
    assert local.fresh


async def _kill(house: Installation, load: LoadProgram, form: _Form, rng: random.Random) -> _Kills:
    kills, names = _Kills(), list(PARTS)
    for number in range(form.kills):
        await asyncio.sleep(rng.uniform(*form.pause_s))
        part = names[number % len(names)] if form.kills < len(names) else rng.choice(names)
        process = await _victim(house, part, rng)
        killed_s = time.monotonic()
        process.kill()
        kills.counts[part] += 1
        if rng.random() < form.waits:
            back_s = await load.all_acked_again(since_s=killed_s, within_s=180)
            kills.backs_s.setdefault(part, []).append(back_s)
    return kills


async def _victim(house: Installation, part: str, rng: random.Random) -> psutil.Process:
    """A process of the part, once there is one: it may still be away from the last time."""

    async def candidates() -> list[psutil.Process]:
        return PARTS[part](_command_lines(house.children()))

    found = await eventually(candidates, bool, within_s=60, every_s=0.1)
    assert found, f"{part} did not come back"
    return rng.choice(found)


def _command_lines(processes: Sequence[psutil.Process]) -> list[tuple[psutil.Process, str]]:
    found = []
    for one in processes:
        with suppress(psutil.Error):  # it ended meanwhile
            found.append((one, " ".join(one.cmdline())))
    return found


def _address(house: Installation) -> str:
    port = json.loads((house.data_dir / "state.json").read_text())["ports"]["postgres"]
    password = (house.data_dir / "secrets" / SUPERUSER).read_text().strip()
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{DATABASE}"


async def _enrolled(owner: Connection, count: int) -> dict[str, str]:
    """New servers of an organization of their own, with the key of each, written straight into auth's tables."""
    organization_id = new_id()
    await owner.execute(
        "insert into auth.organizations (organization_id, display_name, create_time) values ($1, 'load', now())",
        organization_id,
    )
    keys = {}
    for _ in range(count):
        server_id, key = new_id(), tokens.make_opaque(prefix=tokens.AGENT_KEY_PREFIX, token_id=new_id())
        await owner.execute(
            "insert into auth.servers (server_id, organization_id, display_name, hostname, os_type, os_description,"
            " arch, agent_version, create_time) values ($1, $2, 's', 's', 'linux', 'Linux', 'amd64', '1', now())",
            server_id,
            organization_id,
        )
        await owner.execute(
            "insert into auth.server_settings (server_id, organization_id) values ($1, $2)", server_id, organization_id
        )
        await owner.execute(
            "insert into auth.agent_keys (key_id, server_id, organization_id, secret_sha256, create_time)"
            " values ($1, $2, $3, $4, now())",
            key.id,
            server_id,
            organization_id,
            key.secret_sha256,
        )
        keys[str(server_id)] = key.text
    return keys


@dataclass(frozen=True, kw_only=True)
class _LocalAgent:
    """What is stored of the real agent: samples, and holes between them that no gap record explains."""

    samples: int
    unexplained_holes: int
    fresh: bool


async def _local_agent(owner: Connection, server_id: str) -> _LocalAgent:
    async def fresh() -> bool:
        return bool(await owner.fetchval(_FRESH, server_id))

    is_fresh = await eventually(fresh, bool, within_s=150)
    samples = len(await read_times_us(owner, server_id))

    async def holes() -> int:
        stored = await read_times_us(owner, server_id)
        return int(await owner.fetchval(_HOLES, server_id, METRIC_INTERVAL_S, stored))

    # Its backlog comes after the live lane.
    unexplained = await eventually(holes, lambda count: count == 0, within_s=30)
    return _LocalAgent(samples=samples, unexplained_holes=unexplained, fresh=is_fresh)

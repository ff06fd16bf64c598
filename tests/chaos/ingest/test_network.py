"""A slow, narrow, torn, silent or wrong network between agents and ingest: nothing is lost, and the link is used."""

import asyncio
import random
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from flick.db.pool import connect
from services.ingest.streams.times import StreamTimes
from tests.chaos.checking.checker import Findings, check
from tests.chaos.house.crowd import crowd, tls_settings
from tests.chaos.house.restarted import restarted_ingest
from tests.chaos.load import LoadAgent, under_load
from tests.databases import DatabaseServer
from tests.integration.agent.certificates import Authority
from tests.integration.ingest.house import ingest_house
from tests.integration.ingest.schema import telemetry_template
from tests.network.proxy import CHUNK_BYTES, FaultProxy, Link
from tests.report import report
from tests.tiny_auth import make_auth
from tests.waiting import until

SEED = 15
AGENTS = 10
DELAY_S = 0.2
RATE_BYTES_PER_S = 125_000.0  # 1 Mbit/s
GOODPUT = 0.8
TORN_PER_S = 0.05  # of the connections


@pytest.mark.timeout(600)
async def test_on_a_bad_network_nothing_is_lost_and_the_link_is_used(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    seconds = 60.0 if long_form else 2.0
    for authority in (Authority(), None) if long_form else (Authority(),):
        (folder := tmp_path / ("TLS" if authority else "plaintext")).mkdir()
        seen = await _endured(postgres, redis_url, folder, authority, seconds)
        goodput, bare = f"{seen.goodput / seen.bare:.0%}", f"{seen.bare * 8 / 1e6:.2f} Mbit/s"
        report(folder.name, goodput=goodput, bare=bare, torn=seen.torn, findings=seen.findings)

        assert seen.torn > 0
        assert seen.findings.clean, seen.findings
        assert seen.findings.rejected == 0
        assert seen.goodput >= GOODPUT * seen.bare
        assert not seen.failed_calls


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Rates in bytes per second: what the bare link carries, and what was acked of samples over it."""

    bare: float
    goodput: float
    torn: int
    findings: Findings
    failed_calls: bool


async def _endured(
    postgres: DatabaseServer, redis_url: str, folder: Path, authority: Authority | None, seconds: float
) -> _Seen:
    rng, auth = random.Random(SEED), make_auth()
    tls = tls_settings(authority, folder) if authority else {}
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        auth.serving() as auth_address,
        restarted_ingest(
            postgres=postgres, database=database, redis_url=redis_url, auth_address=auth_address, folder=folder, **tls
        ) as ingest,
    ):
        link = Link(delay_s=DELAY_S, rate_bytes_per_s=RATE_BYTES_PER_S)
        proxy = FaultProxy(targets=lambda: ingest.address, link=link, rng=rng)
        async with proxy.serving() as address:
            # Half as much again as the link takes.
            agents = crowd(
                auth, count=AGENTS, address=address, rng=rng, interval_s=0.07, authority=authority, backoff_cap_s=2.0
            )
            bare = await _bare_rate(seconds)
            async with under_load(agents, settle_s=120):
                await until(lambda: all(agent.acked_total for agent in agents), within_s=30)
                goodput = await _acked_rate(agents, seconds)
                # Plaintext has nothing that would find a turned bit; TLS is the promise.
                torn = await _tear(proxy, seconds, flips=AGENTS if authority else 0)
                link.delay_s, link.rate_bytes_per_s = 0.0, None
        owner = await connect(postgres.url(database=database), application_name="test")
        findings = await check(owner, agents)
        await owner.close()
    failed = "call failed" in ingest.logs[0].read_text()
    return _Seen(bare=bare, goodput=goodput, torn=torn, findings=findings, failed_calls=failed)


@pytest.mark.timeout(300)
async def test_both_ends_of_a_half_open_stream_notice_and_nothing_is_lost(
    postgres: DatabaseServer, redis_url: str, long_form: bool
) -> None:
    rng = random.Random(SEED)
    times = StreamTimes() if long_form else StreamTimes(ping_every_s=0.3, silent_after_s=0.9, settle_s=0.2)
    silent_s = times.silent_after_s
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        ingest_house(postgres=postgres, database=database, redis_url=redis_url, times=times) as house,
    ):
        link = Link()
        proxy = FaultProxy(targets=lambda: house.address, link=link, rng=rng)
        async with proxy.serving() as address:
            agents = crowd(house.auth, count=AGENTS, address=address, rng=rng, interval_s=0.1, silent_s=silent_s)
            async with under_load(agents):
                await until(lambda: all(agent.open for agent in agents))
                began_s, link.silent = time.monotonic(), True
                await until(lambda: not any(agent.open for agent in agents), within_s=3 * silent_s + 10)
                agents_s = time.monotonic() - began_s
                ended = partial(house.count, "streams_ended_total", reason="silent")
                await until(lambda: ended() == AGENTS, within_s=3 * silent_s + 10)
                ingest_s = time.monotonic() - began_s
                link.silent = False
        findings = await check(house.database, agents)
    report("half-open", silent_s=silent_s, agents_s=round(agents_s, 1), ingest_s=round(ingest_s, 1), findings=findings)

    assert findings.clean, findings
    assert all(agent.streams > 1 for agent in agents)


async def _bare_rate(seconds: float) -> float:
    """Bytes per second that a plain TCP connection gets over such a link, without what is sent before it is full."""
    arrived: list[tuple[float, int]] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            arrived.append((time.monotonic(), len(data)))
        writer.close()

    sink = await asyncio.start_server(take, "127.0.0.1", 0)
    port = sink.sockets[0].getsockname()[1]
    link = Link(delay_s=DELAY_S, rate_bytes_per_s=RATE_BYTES_PER_S)
    proxy = FaultProxy(targets=lambda: f"127.0.0.1:{port}", link=link, rng=random.Random(SEED))
    async with sink, proxy.serving() as address:
        _, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(b"\0" * int(RATE_BYTES_PER_S * seconds))
        await until(lambda: sum(size for _, size in arrived) >= RATE_BYTES_PER_S * seconds, within_s=10 * seconds)
        writer.close()
    (first_s, first), (last_s, _) = arrived[0], arrived[-1]
    return (sum(size for _, size in arrived) - first) / (last_s - first_s)


async def _acked_rate(agents: list[LoadAgent], seconds: float) -> float:
    """Bytes of acked samples per second."""
    before, began_s = sum(agent.acked_bytes for agent in agents), time.monotonic()
    await asyncio.sleep(seconds)
    return (sum(agent.acked_bytes for agent in agents) - before) / (time.monotonic() - began_s)


async def _tear(proxy: FaultProxy, seconds: float, *, flips: int) -> int:
    """Turn bits, and tear one connection in twenty every second; returns how many were torn, at least one."""
    proxy.link.flips = flips
    until_s, torn = time.monotonic() + seconds, 0
    while time.monotonic() < until_s or not torn or proxy.link.flips:
        await asyncio.sleep(0.1)
        torn += proxy.reset(share=TORN_PER_S * 0.1)
    return torn

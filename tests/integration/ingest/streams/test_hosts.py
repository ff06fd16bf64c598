"""What agents say of their hosts reaches auth, at Hello and when it changes, and holds no stream up."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flick.v1 import access_pb2, ingest_pb2, servers_pb2
from services.ingest.hosts import MAX_BYTES
from tests.integration.ingest.agent import LIVE, ScriptedAgent, batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse
from tests.tiny_auth import Enrolled
from tests.waiting import until

HOST = servers_pb2.Host(hostname="db-1", kernel_release="6.1.0-25-amd64", addresses=["192.0.2.1"])
REBOOTED = servers_pb2.Host(hostname="db-1", kernel_release="6.12.38-amd64", addresses=["192.0.2.1"])


@asynccontextmanager
async def connected(
    house: IngestHouse, enrolled: Enrolled, host: servers_pb2.Host, *, version: str = "1.2.3"
) -> AsyncIterator[ScriptedAgent]:
    """A stream whose Hello tells of a host."""
    hello = ingest_pb2.Hello(
        agent_version=version, host=host, spool_id="s", lanes=[ingest_pb2.LanePosition(lane=LIVE, seq=1)]
    )
    async with house.agent(enrolled) as agent:
        await agent.send(hello)
        await agent.expect(ingest_pb2.Welcome)
        yield agent


def told(house: IngestHouse, enrolled: Enrolled) -> access_pb2.HostReport | None:
    return house.auth.hosts.get(enrolled.server_id)


def expected(enrolled: Enrolled, host: servers_pb2.Host, *, version: str = "1.2.3") -> access_pb2.HostReport:
    return access_pb2.HostReport(server_id=enrolled.server_id, host=host, agent_version=version)


async def test_what_hello_says_of_the_host_reaches_auth_whenever_the_agent_comes(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with connected(ingest, enrolled, HOST):
        await until(lambda: told(ingest, enrolled) == expected(enrolled, HOST))
    async with connected(ingest, enrolled, REBOOTED, version="1.3.0"):
        await until(lambda: told(ingest, enrolled) == expected(enrolled, REBOOTED, version="1.3.0"))


async def test_a_pong_tells_what_has_changed_since(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    moved = servers_pb2.Host(hostname="db-1", addresses=["192.0.2.99"])
    async with connected(ingest, enrolled, HOST) as agent:
        await until(lambda: told(ingest, enrolled) == expected(enrolled, HOST))
        await agent.send(ingest_pb2.Pong(host=moved))
        await until(lambda: told(ingest, enrolled) == expected(enrolled, moved))


async def test_an_agent_that_says_nothing_of_its_host_changes_nothing(ingest: IngestHouse) -> None:
    silent, speaking = await ingest.enroll(), await ingest.enroll()
    async with ingest.agent(silent) as agent:
        await agent.hello()
        await agent.send(ingest_pb2.Pong())
        async with connected(ingest, speaking, HOST):
            await until(lambda: told(ingest, speaking))

    assert told(ingest, silent) is None


async def test_a_host_that_says_too_much_is_not_passed_on_and_its_samples_are_stored(ingest: IngestHouse) -> None:
    enrolled, other = await ingest.enroll(), await ingest.enroll()
    refused = ingest.count("host_reports_total", outcome="refused")
    async with connected(ingest, enrolled, servers_pb2.Host(cpu_model="x" * MAX_BYTES)) as agent:
        async with connected(ingest, other, HOST):
            await until(lambda: told(ingest, other))
        await agent.send(batch(1, sample(now_ns())))
        await agent.acked(1)

    assert told(ingest, enrolled) is None
    assert ingest.count("host_reports_total", outcome="refused") == refused + 1


async def test_while_auth_does_not_answer_samples_are_stored_and_the_host_is_told_later(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    fresh.auth.answers_reports.clear()
    async with connected(fresh, enrolled, HOST) as agent:
        await until(lambda: fresh.auth.reports_asked)
        await agent.send(batch(1, sample(now_ns())))
        await agent.acked(1)
        assert told(fresh, enrolled) is None
        fresh.auth.answers_reports.set()
        await until(lambda: told(fresh, enrolled) == expected(enrolled, HOST), within_s=30)


async def test_many_agents_at_once_are_told_in_few_calls(fresh: IngestHouse) -> None:
    enrolled = [await fresh.enroll() for _ in range(30)]
    began = time.monotonic()

    async def come(one: Enrolled) -> None:
        async with connected(fresh, one, HOST):
            await until(lambda: told(fresh, one))

    await asyncio.gather(*(come(one) for one in enrolled))

    assert fresh.auth.reports_asked <= 2 + (time.monotonic() - began)  # at most one each second

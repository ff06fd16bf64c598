"""What agents' streams leave in the ledger: who was pushed aside, whose clock is off, whose key was revoked."""

from typing import Any

import pytest

from flick.v1 import delivery_pb2, ingest_pb2
from tests.integration.ingest.agent import BACKFILL, LIVE, ScriptedAgent, now_ns
from tests.integration.ingest.house import IngestHouse
from tests.tiny_auth import Enrolled
from tests.waiting import eventually

SECOND_NS = 10**9


async def _events(ingest: IngestHouse, enrolled: Enrolled, kind: int) -> list[dict[str, Any]]:
    """The server's events of a kind, once there is one."""

    async def found() -> list[dict[str, Any]]:
        rows = await ingest.database.fetch(
            "select spool_id, former_spool_id, count, detail from telemetry.delivery_events"
            " where server_id = $1 and organization_id = $2 and kind = $3",
            *(enrolled.server_id, enrolled.organization_id, kind),
        )
        return [dict(row) for row in rows]

    return await eventually(found, bool, within_s=30, every_s=0.05)


async def _hello(agent: ScriptedAgent, *, spool_id: str, ahead_ns: int = 0, degraded_reason: str = "") -> None:
    hello = ingest_pb2.Hello(
        agent_version="1.2.3",
        spool_id=spool_id,
        lanes=[ingest_pb2.LanePosition(lane=lane, seq=1) for lane in (LIVE, BACKFILL)],
        spool=ingest_pb2.SpoolStatus(degraded_reason=degraded_reason),
    )
    hello.send_time.FromNanoseconds(now_ns() + ahead_ns)
    await agent.send(hello)
    await agent.expect(ingest_pb2.Welcome)


async def _held_by(ingest: IngestHouse, enrolled: Enrolled, spool_id: str) -> None:
    async def holder() -> object:
        return await ingest.database.fetchval(
            "select spool_id from telemetry.streams where server_id = $1", enrolled.server_id
        )

    assert await eventually(holder, lambda found: found == spool_id, within_s=30, every_s=0.02) == spool_id


async def test_an_agent_pushed_aside_within_a_process_is_named(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as first, ingest.agent(enrolled) as second:
        await _hello(first, spool_id="one")
        await _held_by(ingest, enrolled, "one")
        await _hello(second, spool_id="two")
        (event,) = await _events(ingest, enrolled, delivery_pb2.DELIVERY_EVENT_KIND_SUPERSEDED)

    assert (event["spool_id"], event["former_spool_id"], event["count"]) == ("two", "one", 1)


async def test_an_agent_that_moves_pushes_nobody_aside(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as first, ingest.agent(enrolled) as second:
        await _hello(first, spool_id="same")
        await _held_by(ingest, enrolled, "same")
        await _hello(second, spool_id="same", ahead_ns=60 * SECOND_NS)
        await _events(ingest, enrolled, delivery_pb2.DELIVERY_EVENT_KIND_CLOCK_OFFSET)  # so it is claimed
    count = await ingest.database.fetchval(
        "select count(*) from telemetry.delivery_events where server_id = $1 and kind = $2",
        *(enrolled.server_id, delivery_pb2.DELIVERY_EVENT_KIND_SUPERSEDED),
    )

    assert count == 0


@pytest.mark.parametrize(("ahead_s", "words"), [(3600, "s ahead of"), (-86_400, "s behind")])
async def test_a_clock_that_is_off_is_told(ingest: IngestHouse, ahead_s: int, words: str) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await _hello(agent, spool_id="one", ahead_ns=ahead_s * SECOND_NS)
        (event,) = await _events(ingest, enrolled, delivery_pb2.DELIVERY_EVENT_KIND_CLOCK_OFFSET)

    assert words in event["detail"]


async def test_a_spool_in_memory_only_is_told(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await _hello(agent, spool_id="one", degraded_reason="disk full")
        (event,) = await _events(ingest, enrolled, delivery_pb2.DELIVERY_EVENT_KIND_SPOOL_DEGRADED)

    assert event["detail"].endswith("disk full")


async def test_a_key_revoked_mid_stream_is_told(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await _hello(agent, spool_id="one")
        ingest.auth.revoke(enrolled)
        await agent.ending()
    (event,) = await _events(ingest, enrolled, delivery_pb2.DELIVERY_EVENT_KIND_KEY_REVOKED)

    assert event["spool_id"] == "one"

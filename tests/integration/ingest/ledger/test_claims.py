"""Whose stream is a server's: the newest, whichever process of ingest it leads to."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

from flick.clock import SystemClock
from flick.db.queries import load_queries
from flick.v1 import delivery_pb2, ingest_pb2
from services.ingest.ledger import store as ledger_store
from services.ingest.ledger.ledger import Ledger
from services.ingest.ledger.streams import Claim
from tests.integration.ingest.ledger.conftest import Ledgers, claim, opened
from tests.waiting import eventually

SEED = 20_263


async def test_the_first_stream_of_a_server_takes_over_from_none(ledgers: Ledgers) -> None:
    ledger, stream = ledgers.ledger(), opened(clock_offset_s=1.5)
    former = await claim(ledger, stream, spool=ingest_pb2.SpoolStatus(held_samples=3))
    row = await ledgers.stream(stream)

    assert former is None
    assert (row["stream_id"], row["instance_id"]) == (stream.stream_id, ledger.instance_id)
    assert (row["spool_id"], row["agent_version"], row["clock_offset_s"]) == (stream.spool_id, "1.0.0", 1.5)
    assert ingest_pb2.SpoolStatus.FromString(row["spool"]).held_samples == 3
    assert await ledgers.events(stream) == []


async def test_the_next_stream_learns_from_whom_it_takes_over(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened()
    second = opened(first)
    await claim(ledger, first)
    former = await claim(ledger, second)

    assert former is not None
    assert (former.stream_id, former.spool_id, former.open) == (first.stream_id, first.spool_id, True)
    assert await ledgers.events(first) == [], "the agent only moved"


async def test_claiming_again_after_an_answer_that_got_lost_changes_nothing(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened()
    second = opened(first, spool_id="another")
    await claim(ledger, first)
    await claim(ledger, second)
    former = await claim(ledger, second)
    row = await ledgers.stream(first)

    assert former is None
    assert row["former_stream_id"] == first.stream_id
    assert [one["count"] for one in await ledgers.events(first)] == [1]


async def test_after_the_database_s_clock_was_set_back_a_new_stream_is_the_newest_at_once(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened()
    await claim(ledger, first)
    await ledgers.owner.execute(
        "update telemetry.streams set opened_at = now() + interval '1 h', said_hello_at = now() + interval '1 h'"
        " where server_id = $1",
        first.server_id,
    )
    second = opened(first)
    await claim(ledger, second)

    assert (await ledgers.stream(first))["stream_id"] == second.stream_id


async def test_another_agent_that_pushes_an_open_one_aside_is_an_event(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened(spool_id="one")
    await claim(ledger, first)
    await claim(ledger, opened(first, spool_id="two"))
    (event,) = await ledgers.events(first)

    assert event["kind"] == delivery_pb2.DELIVERY_EVENT_KIND_SUPERSEDED
    assert (event["spool_id"], event["former_spool_id"]) == ("two", "one")
    assert event["organization_id"] == first.organization_id


async def test_an_agent_that_comes_after_another_has_ended_is_no_event(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened(spool_id="one")
    await claim(ledger, first)
    ledger.release(first, reason="client")
    await ledger.write()
    former = await claim(ledger, opened(first, spool_id="two"))

    assert former is not None
    assert not former.open
    assert await ledgers.events(first) == []


async def test_an_agent_that_comes_right_after_another_has_ended_is_no_event_either(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened(spool_id="one")
    await claim(ledger, first)
    ledger.release(first, reason="client")
    await claim(ledger, opened(first, spool_id="two"))

    assert await ledgers.events(first) == []


async def test_an_agent_that_another_one_ended_in_the_same_process_was_pushed_aside(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened(spool_id="one")
    await claim(ledger, first)
    ledger.release(first, reason="superseded")
    await claim(ledger, opened(first, spool_id="two"))
    (event,) = await ledgers.events(first)

    assert (event["spool_id"], event["former_spool_id"]) == ("two", "one")


async def test_a_stream_that_ends_while_it_is_claimed_has_ended(own_ledgers: Ledgers) -> None:
    ledger, stream = own_ledgers.ledger(), opened()
    async with own_ledgers.owner.transaction():
        await own_ledgers.owner.execute("lock table telemetry.delivery_events")  # a claim looks at it last
        claiming = asyncio.create_task(claim(ledger, stream))
        assert await eventually(own_ledgers.waiting, bool, within_s=5, every_s=0.01)
        ledger.release(stream, reason="client")
        await ledger.write()
    await claiming
    await ledger.write()

    assert (await own_ledgers.stream(stream))["end_reason"] == "client"


async def test_a_stream_that_fell_silent_with_its_process_is_not_open(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened(spool_id="one")
    await claim(ledger, first)
    await ledgers.owner.execute(
        "update telemetry.streams set opened_at = opened_at - interval '4 min' where server_id = $1", first.server_id
    )
    former = await claim(ledger, opened(first, spool_id="two"))

    assert former is not None
    assert not former.open
    assert await ledgers.events(first) == []


async def test_a_process_learns_which_streams_others_have_opened(own_ledgers: Ledgers) -> None:
    here, there = own_ledgers.ledger(), own_ledgers.ledger()
    kept, lost = opened(), opened()
    await claim(here, kept)
    await claim(here, lost)
    newer = opened(lost, spool_id="another")
    await claim(there, newer)
    (holder,) = await here.taken_over()

    assert (holder.server_id, holder.stream_id, holder.spool_id) == (lost.server_id, newer.stream_id, "another")
    assert [one.stream_id for one in await there.taken_over()] == [kept.stream_id]


async def test_a_stream_that_two_others_claimed_in_turn_is_still_told_of(own_ledgers: Ledgers) -> None:
    here, there, elsewhere = own_ledgers.ledger(), own_ledgers.ledger(), own_ledgers.ledger()
    first = opened()
    await claim(here, first)
    second = opened(first, spool_id="second")
    await claim(there, second)
    there.release(second, reason="client")
    await there.write()
    third = opened(first, spool_id="third")
    await claim(elsewhere, third)

    assert [one.stream_id for one in await here.taken_over()] == [third.stream_id]


async def test_what_a_server_claims_back_is_no_longer_another_s(own_ledgers: Ledgers) -> None:
    here, there = own_ledgers.ledger(), own_ledgers.ledger()
    first = opened()
    await claim(there, first)
    await claim(here, opened(first))

    assert await here.taken_over() == []


async def test_a_claim_that_commits_late_is_not_missed(own_ledgers: Ledgers) -> None:
    here, there, stream = own_ledgers.ledger(), own_ledgers.ledger(), opened()
    async with own_ledgers.owner.transaction():
        await own_ledgers.owner.execute("lock table telemetry.delivery_events")  # a claim looks at it last
        late = asyncio.create_task(claim(there, stream))
        assert await eventually(own_ledgers.waiting, bool, within_s=5, every_s=0.01)
        before = [await here.taken_over() for _ in range(3)]
    await late

    assert before == [[], [], []]
    assert [one.stream_id for one in await here.taken_over()] == [stream.stream_id]


async def test_a_claim_that_comes_later_than_that_of_a_newer_stream_changes_nothing(own_ledgers: Ledgers) -> None:
    here, there = own_ledgers.ledger(), own_ledgers.ledger()
    older = opened(spool_id="older")
    newer = opened(older, spool_id="newer")
    await claim(there, newer, age_s=1.0)
    former = await claim(here, older, age_s=60.0)

    assert former is None
    assert (await own_ledgers.stream(older))["stream_id"] == newer.stream_id
    assert [one.stream_id for one in await here.taken_over()] == [newer.stream_id]
    assert await own_ledgers.events(older) == []


async def test_many_claims_at_once_leave_one_holder(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened()
    await claim(ledger, first)
    streams = [opened(first) for _ in range(20)]
    formers = await asyncio.gather(*(claim(ledger, one) for one in streams))
    newest = (await ledgers.stream(first))["stream_id"]
    passed_on = {former.stream_id for former in formers if former}

    assert newest in {one.stream_id for one in streams} - passed_on
    assert first.stream_id in passed_on


async def test_many_servers_claimed_at_once_are_told_of_one_by_one(ledgers: Ledgers) -> None:
    here, there = ledgers.ledger(), ledgers.ledger()
    known, unknown, newer = ([opened() for _ in range(20)] for _ in range(3))
    for stream in known:
        await claim(there, stream)
    for stream in newer:
        await claim(there, stream, age_s=-60.0)
    moved = [opened(stream) for stream in known]
    claims = [
        Claim(stream=stream, spool=None, said_hello_at_s=SystemClock().monotonic_s())
        for stream in (*moved, *unknown, *(opened(stream) for stream in newer))
    ]
    formers = await here.claim(claims)
    rows = [await ledgers.stream(stream) for stream in (*moved, *unknown, *newer)]

    assert {server_id: former.stream_id for server_id, former in formers.items()} == {
        stream.server_id: stream.stream_id for stream in known
    }
    assert [row["stream_id"] for row in rows] == [stream.stream_id for stream in (*moved, *unknown, *newer)]


async def test_processes_that_claim_the_same_servers_at_once_never_wait_in_a_ring(ledgers: Ledgers) -> None:
    rng, clock = random.Random(SEED), SystemClock()
    servers, ledger_of = [opened() for _ in range(30)], [ledgers.ledger() for _ in range(4)]

    async def claim_all(ledger: Ledger) -> None:
        for _ in range(10):
            streams = [opened(one) for one in rng.sample(servers, len(servers))]
            await ledger.claim([Claim(stream=one, spool=None, said_hello_at_s=clock.monotonic_s()) for one in streams])

    await asyncio.gather(*(claim_all(ledger) for ledger in ledger_of))  # else the database ends one of them
    holders = {(await ledgers.stream(one))["instance_id"] for one in servers}

    assert holders <= {ledger.instance_id for ledger in ledger_of}


async def test_a_process_claims_in_order_however_long_a_statement_takes(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened()
    second = opened(first)
    await claim(ledger, first, age_s=-5.0)  # as if this one had taken 5 s more than the next
    await claim(ledger, second)

    assert (await ledgers.stream(first))["stream_id"] == second.stream_id


async def test_asking_who_took_over_reads_recent_streams_only(own_ledgers: Ledgers) -> None:
    ledger, owner = own_ledgers.ledger(), own_ledgers.owner
    await owner.execute(
        "insert into telemetry.streams (server_id, organization_id, stream_id, instance_id, spool_id, agent_version,"
        " opened_at, said_hello_at) select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),"
        " 'x', '1', now() - interval '1 hour', now() from generate_series(1, 5000)"
    )
    await owner.execute("analyze telemetry.streams")
    query = load_queries(Path(ledger_store.__file__).with_name("queries.sql"))["find_claims_of_others"]
    plan = await owner.fetch(f"explain {query}", timedelta(seconds=16), ledger.instance_id)

    assert "streams_opened_at" in "".join(row[0] for row in plan)
    assert await ledger.taken_over() == []

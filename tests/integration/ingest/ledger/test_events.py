"""What a person should know of a server's delivery: noted once a minute and kind, bounded, and told in words."""

import time

import pytest

from flick.v1 import delivery_pb2, ingest_pb2
from services.ingest.ledger.store import EVENTS_PER_SERVER
from tests.integration.ingest.ledger.conftest import Ledgers, claim, opened

KEY_REVOKED = delivery_pb2.DELIVERY_EVENT_KIND_KEY_REVOKED


@pytest.mark.parametrize(
    ("offset_s", "words"),
    [(10.5, "was 10.5 s ahead of ingest's"), (-3600.0, "was 3600.0 s behind ingest's"), (10.0, ""), (None, "")],
)
async def test_a_clock_more_than_10_s_off_is_an_event(ledgers: Ledgers, offset_s: float | None, words: str) -> None:
    ledger, stream = ledgers.ledger(), opened(clock_offset_s=offset_s)
    await claim(ledger, stream)
    await ledger.write()
    events = await ledgers.events(stream)

    assert [one["kind"] for one in events] == [delivery_pb2.DELIVERY_EVENT_KIND_CLOCK_OFFSET][: bool(words)]
    assert all(words in one["detail"] for one in events)


async def test_a_clock_that_is_stepped_while_the_stream_is_open_is_an_event_and_known_at_once(ledgers: Ledgers) -> None:
    ledger, stream = ledgers.ledger(), opened()
    await claim(ledger, stream)
    for ahead_s in (0, 3600, 3601, -3600, 0):
        pong = ingest_pb2.Pong()
        pong.send_time.FromNanoseconds(time.time_ns() + ahead_s * 10**9)
        ledger.report(stream, pong)
    await ledger.write()
    (event,) = await ledgers.events(stream)
    row = await ledgers.stream(stream)

    assert (event["kind"], event["count"]) == (delivery_pb2.DELIVERY_EVENT_KIND_CLOCK_OFFSET, 2)
    assert "ahead of ingest's" in event["detail"]
    assert abs(row["clock_offset_s"]) < 10


async def test_a_spool_that_gets_degraded_is_an_event_for_each_new_reason(ledgers: Ledgers) -> None:
    ledger, stream = ledgers.ledger(), opened()
    await claim(ledger, stream, spool=ingest_pb2.SpoolStatus(degraded_reason="disk full"))
    for reason in ("disk full", "disk full", "read-only"):
        ledger.report(stream, ingest_pb2.Pong(spool=ingest_pb2.SpoolStatus(degraded_reason=reason)))
    await ledger.write()
    (event,) = await ledgers.events(stream)

    assert event["kind"] == delivery_pb2.DELIVERY_EVENT_KIND_SPOOL_DEGRADED
    assert event["detail"].endswith("disk full")
    assert event["count"] == 2


async def test_the_same_within_a_minute_is_one_row_that_counts(ledgers: Ledgers) -> None:
    ledger, stream = ledgers.ledger(), opened()
    for _ in range(3):
        ledger.note(stream, KEY_REVOKED, "first")
        ledger.note(stream, KEY_REVOKED, "second")
        await ledger.write()
    events = await ledgers.events(stream)

    assert sum(one["count"] for one in events) == 6
    assert len(events) <= 2, "but for the turn of a minute there is one"


async def test_two_agents_that_fight_for_a_server_leave_one_row_a_minute(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened(spool_id="one")
    await claim(ledger, first)
    for number in range(10):
        await claim(ledger, opened(first, spool_id=("two", "one")[number % 2]))
    events = await ledgers.events(first)

    assert sum(one["count"] for one in events) == 10
    assert len(events) <= 2, "but for the turn of a minute there is one"


async def test_what_an_agent_says_can_always_be_stored(ledgers: Ledgers) -> None:
    ledger, stream = ledgers.ledger(), opened()
    hostile = ingest_pb2.SpoolStatus(degraded_reason="\0" + 100_000 * "x", held_samples=2**64 - 1)
    hostile.oldest_time.seconds = -(2**63)
    await claim(ledger, stream, spool=hostile)
    await ledger.write()
    spool = ingest_pb2.SpoolStatus.FromString((await ledgers.stream(stream))["spool"])

    assert (ledgers.failures, len(spool.degraded_reason), spool.HasField("oldest_time")) == ([], 400, False)
    assert len(await ledgers.events(stream)) == 1


async def test_of_each_server_the_newest_events_are_kept_and_none_for_ever(own_ledgers: Ledgers) -> None:
    ledger, noisy, quiet = own_ledgers.ledger(), opened(), opened()
    for stream, count, age in ((noisy, EVENTS_PER_SERVER + 50, "1 min"), (quiet, 5, "89 days"), (quiet, 5, "91 days")):
        await own_ledgers.owner.execute(
            "insert into telemetry.delivery_events"
            " select $1, $2, now() - $4::text::interval - number * interval '1 min', 5, 0, 1, '', '', null, null, ''"
            " from generate_series(1, $3::int) as number",
            *(stream.server_id, stream.organization_id, count, age),
        )
    ledger.note(noisy, KEY_REVOKED, "the newest")
    await ledger.write()
    await own_ledgers.store.prune()
    kept = await own_ledgers.events(noisy)

    assert len(kept) == EVENTS_PER_SERVER
    assert kept[-1]["detail"] == "the newest"
    assert len(await own_ledgers.events(quiet)) == 5


async def test_streams_and_counts_that_nobody_asks_for_any_more_are_forgotten(own_ledgers: Ledgers) -> None:
    ledger, gone, here = own_ledgers.ledger(), opened(), opened()
    for stream, age in ((gone, "91 days"), (here, "89 days")):
        await claim(ledger, stream)
        await own_ledgers.owner.execute(
            "update telemetry.streams set opened_at = now() - $2::text::interval where server_id = $1",
            *(stream.server_id, age),
        )
    await own_ledgers.owner.execute(
        "insert into telemetry.deliveries select $1, $2, now() - number * interval '1 day', 'duplicate', 0, 1"
        " from generate_series(30, 35) as number",
        *(here.server_id, here.organization_id),
    )
    await own_ledgers.store.prune()
    days = await own_ledgers.owner.fetch("select extract(day from now() - hour)::int as day from telemetry.deliveries")

    assert (await own_ledgers.stream(gone), bool(await own_ledgers.stream(here))) == ({}, True)
    assert sorted(row["day"] for row in days) == [30, 31]

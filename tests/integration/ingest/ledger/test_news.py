"""What is new of streams is written a little later, all together, and only of those that are still the newest."""

from flick.v1 import delivery_pb2, ingest_pb2
from tests.integration.ingest.ledger.conftest import Ledgers, claim, opened
from tests.waiting import eventually


async def test_a_ledger_that_runs_writes_an_end_soon_and_the_rest_when_it_stops(ledgers: Ledgers) -> None:
    ended, open_ = opened(), opened()
    async with ledgers.running() as ledger:
        await claim(ledger, ended)
        await claim(ledger, open_)
        ledger.release(ended, reason="drained")
        row = await eventually(lambda: ledgers.stream(ended), lambda one: one["ended_at"], within_s=5, every_s=0.02)
        ledger.report(open_, ingest_pb2.Pong(spool=ingest_pb2.SpoolStatus(held_samples=7)))
    spool = (await ledgers.stream(open_))["spool"]

    assert row["end_reason"] == "drained"
    assert ingest_pb2.SpoolStatus.FromString(spool).held_samples == 7


async def test_news_of_a_stream_that_lost_its_server_change_nothing(ledgers: Ledgers) -> None:
    here, there, first = ledgers.ledger(), ledgers.ledger(), opened()
    await claim(here, first)
    second = opened(first)
    await claim(there, second)
    here.report(first, ingest_pb2.Pong(spool=ingest_pb2.SpoolStatus(held_samples=1)))
    here.release(first, reason="moved")
    await here.write()
    row = await ledgers.stream(first)

    assert (row["stream_id"], row["ended_at"], row["spool"]) == (second.stream_id, None, None)


async def test_news_of_an_older_stream_don_t_hide_those_of_the_newer(ledgers: Ledgers) -> None:
    ledger, first = ledgers.ledger(), opened()
    second = opened(first)
    await claim(ledger, first)
    await claim(ledger, second)
    ledger.report(second, ingest_pb2.Pong(spool=ingest_pb2.SpoolStatus(held_samples=2)))
    ledger.release(first, reason="moved")
    await ledger.write()
    row = await ledgers.stream(first)

    assert ingest_pb2.SpoolStatus.FromString(row["spool"]).held_samples == 2
    assert row["ended_at"] is None


async def test_what_can_t_be_written_is_written_later(own_ledgers: Ledgers) -> None:
    ledger, stream = own_ledgers.ledger(), opened()
    await claim(ledger, stream)
    ledger.report(stream, ingest_pb2.Pong(spool=ingest_pb2.SpoolStatus(held_samples=5)))
    ledger.note(stream, delivery_pb2.DELIVERY_EVENT_KIND_KEY_REVOKED, "The key was revoked.")
    for table in ("streams", "delivery_events"):
        await own_ledgers.owner.execute(f"alter table telemetry.{table} rename to away")
        await ledger.write()
        await own_ledgers.owner.execute(f"alter table telemetry.away rename to {table}")
    failed = len(own_ledgers.failures)
    await ledger.write()

    assert failed == 2
    assert (await own_ledgers.stream(stream))["spool"] is not None
    assert [one["detail"] for one in await own_ledgers.events(stream)] == ["The key was revoked."]

"""What happens beside the sealer while it works: late samples, readers, another sealer, the end of its connection."""

import asyncio
import random
from collections.abc import Sequence

import asyncpg
import pytest

from flick.db.pool import Connection, connect
from services.ingest.rollups.blocks import to_datetime
from services.ingest.sealing.blocks import SamplesBlock, SnapshotsBlock
from services.ingest.sealing.rows import Tally
from services.ingest.sealing.span import Span
from services.ingest.sealing.store import SealStore
from tests.databases import DatabaseServer
from tests.integration.ingest.sealing.conftest import Sealing
from tests.integration.ingest.sealing.hours import (
    BEGINNING_NS,
    HOUR_NS,
    SECOND_NS,
    chunks,
    everything,
    in_blocks,
    in_rows,
    samples,
)

IN_TIME_NS = BEGINNING_NS + HOUR_NS


class HaltingStore(SealStore):
    """Stops between reading rows and writing their blocks, until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.has_read = asyncio.Event()
        self.go_on = asyncio.Event()

    async def add(
        self,
        connection: Connection,
        span: Span,
        *,
        samples: Sequence[SamplesBlock],
        snapshots: Sequence[SnapshotsBlock],
    ) -> None:
        self.has_read.set()
        await self.go_on.wait()
        await super().add(connection, span, samples=samples, snapshots=snapshots)


async def test_a_sample_that_comes_while_its_hour_is_sealed_keeps_the_chunk_and_is_next(
    sealing: Sealing,
) -> None:
    writer, found, store = sealing.writer(), samples(60), HaltingStore()
    await writer.write(found[:50], received_ns=IN_TIME_NS)
    moving = asyncio.create_task(sealing.with_store(store).work(sealing.leader))
    await store.has_read.wait()
    await writer.write(found[50:], received_ns=IN_TIME_NS)
    before = await everything(sealing.owner)
    store.go_on.set()
    await moving

    assert len(await in_rows(sealing.owner)) == 60
    assert len(await in_blocks(sealing.owner)) == 50
    assert await everything(sealing.owner) == before

    await sealing.round()

    assert await in_blocks(sealing.owner) == before
    assert await chunks(sealing.owner) == 0


async def test_what_is_under_way_when_the_sealer_is_stopped_is_as_if_it_had_not_begun(
    sealing: Sealing, postgres: DatabaseServer, telemetry: str
) -> None:
    store = HaltingStore()
    await sealing.writer().write(samples(50), received_ns=IN_TIME_NS)
    before = await in_rows(sealing.owner)
    moving = asyncio.create_task(sealing.with_store(store).work(sealing.leader))
    await store.has_read.wait()
    moving.cancel()
    await asyncio.gather(moving, return_exceptions=True)
    sealing.leader.terminate()

    assert await in_rows(sealing.owner) == before
    assert await in_blocks(sealing.owner) == {}

    sealing.leader = await connect(postgres.url(database=telemetry, role="flick_ingest"), application_name="sealer")
    await sealing.round()

    assert await in_blocks(sealing.owner) == before


async def test_two_that_seal_the_same_hour_at_once_do_it_once(
    sealing: Sealing, postgres: DatabaseServer, telemetry: str
) -> None:
    stores = [HaltingStore(), HaltingStore()]
    await sealing.writer().write(samples(50), received_ns=IN_TIME_NS)
    before = await in_rows(sealing.owner)
    other = await connect(postgres.url(database=telemetry, role="flick_ingest"), application_name="sealer")
    moving = [
        asyncio.create_task(sealing.with_store(store).work(connection))
        for store, connection in zip(stores, (sealing.leader, other), strict=True)
    ]
    for store in stores:
        await store.has_read.wait()
    for store in stores:
        store.go_on.set()
    await asyncio.gather(*moving)
    await other.close()

    assert await in_blocks(sealing.owner) == before
    assert await in_rows(sealing.owner) == {}
    assert sealing.count("sealed_samples_total") == 50
    assert sealing.count("sealing_failures_total") == 1


async def test_a_chunk_that_somebody_reads_is_given_back_later_and_nobody_waits(sealing: Sealing) -> None:
    await sealing.writer().write(samples(50), received_ns=IN_TIME_NS)
    async with sealing.owner.transaction(isolation="repeatable_read"):
        await sealing.owner.execute("lock table telemetry.metrics, telemetry.processes in access share mode")
        before = await in_rows(sealing.owner)
        await sealing.round()
        during = {**await in_rows(sealing.owner), **await in_blocks(sealing.owner)}
        kept = await chunks(sealing.owner)
    await sealing.round()

    assert during == before
    assert kept == 2
    assert await chunks(sealing.owner) == 0
    assert await in_blocks(sealing.owner) == before


async def test_samples_that_come_while_their_chunk_is_given_back_are_all_stored(
    sealing: Sealing, long_form: bool
) -> None:
    rng, store, tries = random.Random(20_260), SealStore(), 1000 if long_form else 100
    writer, found = sealing.writer(), samples(tries, step_ns=SECOND_NS)
    hour, dropped = to_datetime(BEGINNING_NS // 1000), 0
    for one in found:
        await sealing.owner.execute("delete from telemetry.metrics")  # as if it had been sealed; the chunk is empty
        await sealing.owner.execute("delete from telemetry.processes")

        async def give_back() -> bool:
            await asyncio.sleep(rng.uniform(0, 0.003))
            try:
                return await store.drop_sealed_chunks(sealing.leader, hour, Tally())
            except asyncpg.LockNotAvailableError:
                return False

        gone, written = await asyncio.gather(give_back(), writer.write([one], received_ns=IN_TIME_NS))
        dropped += gone
        stored = await in_rows(sealing.owner)

        assert written.stored == 1
        assert [moment for _, moment in stored] == [one.time_unix_nano // 1000]
    print(f"{tries} samples written, {dropped} chunks given back meanwhile")  # noqa: T201

    assert dropped > tries / 20, "the race was hardly ever run"


async def test_an_hour_that_cannot_be_sealed_stays_in_rows_and_the_others_are_sealed(sealing: Sealing) -> None:
    broken, sound = sealing.writer(), [sealing.writer() for _ in range(3)]
    for writer in (broken, *sound):
        await writer.write(samples(20), received_ns=IN_TIME_NS)
    await sealing.owner.execute(
        "update telemetry.metrics set labelled = '\\x01' where server_id = $1", broken.owner.server_id
    )
    for _ in range(2):
        await sealing.round()

    assert len(await in_blocks(sealing.owner)) == 60
    assert sealing.count("sealing_failures_total") == 2
    assert sealing.count("sealing_oldest_seconds") == 7200


async def test_ingest_takes_away_nothing_that_it_has_not_sealed(sealing: Sealing) -> None:
    writer = sealing.writer()
    await writer.write(samples(20), received_ns=IN_TIME_NS)
    hour = to_datetime(BEGINNING_NS // 1000)
    drop = "select telemetry.drop_sealed_chunks($1, $2, $3)"

    with pytest.raises(asyncpg.RaiseError, match="nothing of that hour is sealed"):
        await sealing.leader.execute("select telemetry.remove_copies($1, $2, $3)", writer.owner.server_id, hour, [hour])
    assert not await sealing.leader.fetchval(drop, hour, 20, 20), "no block holds them"
    assert len(await in_rows(sealing.owner)) == 20


async def test_a_chunk_with_other_rows_than_were_found_in_blocks_stays(sealing: Sealing) -> None:
    writer, store, found = sealing.writer(), SealStore(), samples(21)
    hour = to_datetime(BEGINNING_NS // 1000)
    await writer.write(found[:20], received_ns=IN_TIME_NS)
    async with sealing.owner.transaction(isolation="repeatable_read"):
        await in_rows(sealing.owner)  # so that the chunk can't go
        await sealing.round()
    await writer.write(found[20:], received_ns=IN_TIME_NS)

    gone = [await store.drop_sealed_chunks(sealing.leader, hour, Tally(rows, rows)) for rows in (19, 20, 21)]

    assert gone == [False, False, False]
    assert len(await in_rows(sealing.owner)) == 21


async def test_a_leader_that_finds_rows_and_their_blocks_gives_the_chunk_back(sealing: Sealing) -> None:
    await sealing.writer().write(samples(30), received_ns=IN_TIME_NS)
    async with sealing.owner.transaction(isolation="repeatable_read"):
        before = await in_rows(sealing.owner)
        await sealing.round()

    await sealing.with_store(SealStore()).work(sealing.leader)

    assert await in_blocks(sealing.owner) == before
    assert await chunks(sealing.owner) == 0
    assert await sealing.deliveries() == {}
    assert sealing.count("sealed_samples_total") == 30

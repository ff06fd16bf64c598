"""What becomes of an hour that is over: every sample is in a block as it was in its row, and the chunks are gone."""

import random

from services.ingest.sealing.store import SealStore
from tests.integration.ingest.sealing.conftest import Sealing
from tests.integration.ingest.sealing.hours import (
    BEGINNING_NS,
    HOUR_NS,
    SECOND_NS,
    chunks,
    everything,
    in_blocks,
    in_rows,
    sample,
    samples,
)


async def test_every_sample_is_in_a_block_as_it_was_in_its_row(sealing: Sealing) -> None:
    for seed, count in enumerate((720, 1, 37)):
        await sealing.writer().write(samples(count, seed=seed), received_ns=BEGINNING_NS + HOUR_NS)
    before = await everything(sealing.owner)

    await sealing.round()

    assert len(before) == 758
    assert await in_blocks(sealing.owner) == before
    assert await in_rows(sealing.owner) == {}
    assert await chunks(sealing.owner) == 0
    assert await sealing.deliveries() == {}
    assert sealing.count("sealed_samples_total") == 758
    assert sealing.count("sealing_oldest_seconds") == 0


async def test_an_hour_with_several_layouts_or_none_is_a_block_of_each(sealing: Sealing) -> None:
    rng, writer = random.Random(1), sealing.writer()
    kinds = [(1, 5), (2, 3), (0, 0), (3, 0), (1, 5)]
    found = [
        sample(
            BEGINNING_NS + number * SECOND_NS,
            rng=rng,
            layout_id=kinds[number % 5][0],
            labelled=kinds[number % 5][1],
            missing=number % 3 == 0,
            processes=number % 2,
        )
        for number in range(100)
    ]
    await writer.write(found, received_ns=BEGINNING_NS + HOUR_NS)
    before = await everything(sealing.owner)

    await sealing.round()

    layouts = await sealing.owner.fetch("select layout_id, count from telemetry.sealed_metrics order by layout_id")
    assert await in_blocks(sealing.owner) == before
    assert [tuple(row) for row in layouts] == [(0, 20), (1, 40), (2, 20), (3, 20)]


async def test_samples_of_several_hours_are_sealed_hour_by_hour(sealing: Sealing) -> None:
    sealing.clock.now_ns += 3 * HOUR_NS
    await sealing.writer().write(samples(50, step_ns=HOUR_NS // 20 - 7000), received_ns=BEGINNING_NS + 3 * HOUR_NS)
    before = await everything(sealing.owner)

    await sealing.round()

    assert await in_blocks(sealing.owner) == before
    assert await sealing.owner.fetchval("select count(*) from telemetry.sealed_metrics") == 3
    assert await chunks(sealing.owner) == 0


async def test_the_hour_that_lasts_and_the_one_that_ended_just_now_stay_in_rows(sealing: Sealing) -> None:
    await sealing.writer().write(samples(10), received_ns=BEGINNING_NS + 50 * SECOND_NS)
    sealing.clock.now_ns = BEGINNING_NS + HOUR_NS + 899 * SECOND_NS
    before = await everything(sealing.owner)

    await sealing.round()
    untouched = await in_rows(sealing.owner)
    sealing.clock.now_ns += 2 * SECOND_NS
    await sealing.round()

    assert untouched == before
    assert await in_blocks(sealing.owner) == before


async def test_an_hour_of_which_samples_still_come_waits_until_they_are_all_there(sealing: Sealing) -> None:
    now_ns, writer, quiet = sealing.clock.now_ns, sealing.writer(), sealing.writer()
    await writer.write(samples(10), received_ns=now_ns - 600 * SECOND_NS)
    await quiet.write(samples(10), received_ns=BEGINNING_NS + HOUR_NS)

    await sealing.round()
    sealed = await in_blocks(sealing.owner)
    oldest_s = sealing.count("sealing_oldest_seconds")
    sealing.clock.now_ns += 301 * SECOND_NS
    await sealing.round()

    assert {server_id for server_id, _ in sealed} == {quiet.owner.server_id}
    assert oldest_s == 7200
    assert await in_rows(sealing.owner) == {}
    assert len(await in_blocks(sealing.owner)) == 20


async def test_an_hour_too_large_for_one_block_becomes_several(sealing: Sealing) -> None:
    await sealing.writer().write(samples(720), received_ns=BEGINNING_NS + HOUR_NS)
    before = await everything(sealing.owner)

    await sealing.with_store(SealStore(max_samples=200)).work(sealing.leader)

    assert await in_blocks(sealing.owner) == before
    assert await sealing.owner.fetchval("select count(*) from telemetry.sealed_metrics") == 4
    assert sealing.count("sealing_failures_total") == 0
    assert await chunks(sealing.owner) == 0


async def test_an_hour_whose_snapshots_are_too_large_for_one_block_becomes_several(sealing: Sealing) -> None:
    await sealing.writer().write(samples(100, processes=50), received_ns=BEGINNING_NS + HOUR_NS)
    before = await everything(sealing.owner)

    await sealing.with_store(SealStore(max_bytes=100_000)).work(sealing.leader)

    assert await in_blocks(sealing.owner) == before
    assert await sealing.owner.fetchval("select count(*) from telemetry.sealed_processes") > 1
    assert await chunks(sealing.owner) == 0


async def test_an_hour_that_is_read_in_pieces_is_one_block(sealing: Sealing) -> None:
    found = samples(2500, step_ns=14 * SECOND_NS // 10, processes=0)
    await sealing.writer().write(found, received_ns=BEGINNING_NS + HOUR_NS)
    before = await everything(sealing.owner)

    await sealing.round()

    assert await in_blocks(sealing.owner) == before
    assert await sealing.owner.fetchval("select count(*) from telemetry.sealed_metrics") == 1


async def test_blocks_are_stored_so_that_a_part_of_one_is_read_alone(sealing: Sealing) -> None:
    await sealing.writer().write(samples(720), received_ns=BEGINNING_NS + HOUR_NS)

    await sealing.round()

    stored = await sealing.owner.fetch(
        "select distinct attname, attstorage from pg_attribute join pg_inherits on inhrelid = attrelid"
        " where inhparent in ('telemetry.sealed_metrics'::regclass, 'telemetry.sealed_processes'::regclass)"
        " and atttypid = 'bytea'::regtype"
    )
    assert {(row["attname"], row["attstorage"]) for row in stored} == {
        (name, b"e") for name in ("times", "lags", "core", "labelled", "snapshots")
    }

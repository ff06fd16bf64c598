"""What is sealed is rolled up: to minutes in the same transaction, to hours and days when the day is over."""

import random
import uuid
from datetime import UTC, datetime

import asyncpg
import pytest

from flick.db.pool import Connection
from flick.v1 import telemetry_pb2
from services.ingest.rollups.levels import DAYS, HOURS, MINUTES
from services.ingest.sealing.store import SealStore
from tests.integration.ingest.rollups.stored import check_level, due
from tests.integration.ingest.sealing.conftest import Sealing
from tests.integration.ingest.sealing.hours import BEGINNING_NS, HOUR_NS, SECOND_NS, Writer, sample, samples

LEVELS = (MINUTES, HOURS, DAYS)
DAY_NS = 24 * HOUR_NS
LATER_NS = BEGINNING_NS + 3 * DAY_NS
COUNT = "select count(*) from telemetry.{}"
DELETE = "delete from telemetry.{}"
BLOCKS = "select * from telemetry.{} order by server_id, span_start, layout_id"


def mixed(
    count: int, *, seed: int, start_ns: int = BEGINNING_NS, step_ns: int = 50 * SECOND_NS
) -> list[telemetry_pb2.Sample]:
    """Samples of several layouts, some of which have not measured everything."""
    rng = random.Random(seed)
    kinds = [(1, 5), (1, 5), (2, 3), (0, 0), (3, 0)]
    found = []
    for number in range(count):
        layout_id, labelled = kinds[rng.randrange(5)]
        at_ns = start_ns + number * step_ns + rng.randrange(step_ns // 1000) * 1000
        found.append(
            sample(at_ns, rng=rng, layout_id=layout_id, labelled=labelled, missing=rng.random() < 0.2, processes=0)
        )
    return found


async def test_minutes_are_there_as_soon_as_an_hour_is_sealed(sealing: Sealing) -> None:
    for seed in range(3):
        await sealing.writer().write(mixed(60, seed=seed), received_ns=BEGINNING_NS + HOUR_NS)

    await sealing.round()

    waiting = await due(sealing.owner)
    assert await check_level(sealing.owner, MINUTES) == 180
    assert len(waiting) == 3
    assert all(waiting.values())
    assert sealing.count("rollup_hours_total") == 3


async def test_hours_and_days_of_the_running_day_wait_for_its_end(sealing: Sealing) -> None:
    await sealing.writer().write(mixed(60, seed=0), received_ns=BEGINNING_NS + HOUR_NS)
    await sealing.round()

    await sealing.roll()
    early = [await sealing.owner.fetchval(COUNT.format(one.table)) for one in LEVELS]
    sealing.clock.now_ns = LATER_NS
    await sealing.roll()

    assert early == [1 + 3, 0, 0]
    assert [await check_level(sealing.owner, one) for one in LEVELS] == [60, 60, 60]
    assert await due(sealing.owner) == {}
    assert sealing.count("rollup_oldest_seconds") == sealing.count("rollup_waiting_hours") == 0


async def test_days_over_the_end_of_a_year_are_blocks_of_their_years(sealing: Sealing) -> None:
    start_ns = int(datetime(2024, 12, 30, 5, tzinfo=UTC).timestamp()) * SECOND_NS
    writer = sealing.writer()
    found = mixed(160, seed=7, start_ns=start_ns, step_ns=HOUR_NS // 2)
    await writer.write(found, received_ns=start_ns + 5 * DAY_NS)
    sealing.clock.now_ns = start_ns + 9 * DAY_NS

    await sealing.round()
    await sealing.roll()

    years = await sealing.owner.fetch(
        "select distinct extract(year from span_start at time zone 'UTC')::int as year"
        " from telemetry.rollups_1d order by 1"
    )
    assert [await check_level(sealing.owner, one) for one in LEVELS] == [160, 160, 160]
    assert [row["year"] for row in years] == [2024, 2025]


@pytest.mark.parametrize("seed", range(4))
async def test_late_duplicate_and_reordered_samples_leave_the_rollups_of_all_that_is_stored(
    sealing: Sealing, seed: int
) -> None:
    rng = random.Random(seed)
    writers = [sealing.writer() for _ in range(2)]
    found = [mixed(80, seed=100 * seed + number, step_ns=HOUR_NS // 16) for number in range(len(writers))]
    now_ns = BEGINNING_NS + 6 * HOUR_NS
    for _ in range(6):
        for writer, all_of_it in zip(writers, found, strict=True):
            some = rng.sample(all_of_it, rng.randrange(1, 40))
            await writer.write(some, received_ns=now_ns)
        now_ns += rng.choice([HOUR_NS, 20 * HOUR_NS])
        sealing.clock.now_ns = now_ns
        await sealing.round()
        if rng.random() < 0.7:
            await sealing.roll()
    sealing.clock.now_ns = now_ns + 2 * DAY_NS
    await sealing.round()
    await sealing.roll()

    counts = [await check_level(sealing.owner, one) for one in LEVELS]
    assert counts[0] == counts[1] == counts[2] > 100
    assert await due(sealing.owner) == {}


async def test_an_hour_too_large_for_one_block_has_its_minutes_from_the_next_round_on(sealing: Sealing) -> None:
    writer = sealing.writer()
    await writer.write(samples(300, processes=0), received_ns=BEGINNING_NS + HOUR_NS)

    await sealing.with_store(SealStore(max_samples=90)).work(sealing.leader)
    waiting = await due(sealing.owner)
    await sealing.roll()

    assert list(waiting.values()) == [False]
    assert await check_level(sealing.owner, MINUTES) == 300
    assert list((await due(sealing.owner)).values()) == [True]


async def _as_before_there_were_rollups(owner: Connection) -> None:
    for level in LEVELS:
        await owner.execute(DELETE.format(level.table))
    await owner.execute("delete from telemetry.rollups_due")
    await owner.execute(
        "insert into telemetry.rollups_due (server_id, hour, has_minutes)"
        " select distinct server_id, hour, false from telemetry.sealed_metrics"
    )


async def _blocks(owner: Connection) -> list[dict[str, object]]:
    found = [dict(row) for level in LEVELS for row in await owner.fetch(BLOCKS.format(level.table))]
    for row in found:
        row.pop("written_at")
    return found


async def test_hours_that_were_sealed_before_there_were_rollups_get_the_same_ones(sealing: Sealing) -> None:
    for seed in range(2):
        found = mixed(60, seed=seed, step_ns=HOUR_NS // 20)
        await sealing.writer().write(found, received_ns=BEGINNING_NS + 4 * HOUR_NS)
    sealing.clock.now_ns = LATER_NS
    await sealing.round()
    await sealing.roll()
    before = await _blocks(sealing.owner)
    await _as_before_there_were_rollups(sealing.owner)

    await sealing.roll()

    assert len(before) > 6
    assert await _blocks(sealing.owner) == before
    assert await due(sealing.owner) == {}


async def test_an_hour_that_cannot_be_rolled_up_stays_due_and_the_others_are_done(sealing: Sealing) -> None:
    writers: list[Writer] = [sealing.writer() for _ in range(3)]
    for writer in writers:
        await writer.write(samples(20, processes=0), received_ns=BEGINNING_NS + HOUR_NS)
    sealing.clock.now_ns = LATER_NS
    await sealing.round()
    broken: uuid.UUID = writers[1].owner.server_id
    await _as_before_there_were_rollups(sealing.owner)
    await sealing.owner.execute(
        "update telemetry.sealed_metrics set core = substr(core, 1, 700) where server_id = $1", broken
    )

    await sealing.roll()

    others = [one.owner.server_id for one in writers if one.owner.server_id != broken]
    assert [await check_level(sealing.owner, one, servers=others) for one in LEVELS] == [40, 40, 40]
    assert [server_id for server_id, _ in await due(sealing.owner)] == [broken]
    assert sealing.count("rollup_failures_total") == 1
    assert sealing.count("rollup_waiting_hours") == 1
    assert sealing.count("rollup_oldest_seconds") == (LATER_NS - BEGINNING_NS) / SECOND_NS


async def test_a_round_that_is_cut_off_leaves_everything_as_it_was_or_done(sealing: Sealing) -> None:
    await sealing.writer().write(mixed(60, seed=1), received_ns=BEGINNING_NS + HOUR_NS)
    sealing.clock.now_ns = LATER_NS
    await sealing.round()
    await sealing.owner.execute(
        "create function fail() returns trigger language plpgsql as $$ begin raise 'cut off'; end $$;"
        " create trigger cut before insert on telemetry.rollups_1d for each row execute function fail()"
    )

    await sealing.roll()
    hours = await sealing.owner.fetchval("select count(*) from telemetry.rollups_1h")
    await sealing.owner.execute("drop trigger cut on telemetry.rollups_1d")
    await sealing.roll()

    assert hours == 0
    assert [await check_level(sealing.owner, one) for one in LEVELS] == [60, 60, 60]


async def test_rollups_are_not_ingests_to_delete(sealing: Sealing) -> None:
    for level in LEVELS:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sealing.leader.execute(DELETE.format(level.table))

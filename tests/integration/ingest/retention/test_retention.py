"""What is older than it is to be kept goes, exactly that, and nothing that is not rolled up."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from flick.db.pool import connect
from flick.ids import pushed_source
from services.ingest.intake.samples import Owner
from services.ingest.retention.lifetimes import Lifetimes
from services.ingest.rollups.levels import DAYS, HOURS, MINUTES
from tests.databases import DatabaseServer
from tests.integration.ingest.retention.conftest import (
    DAY_NS,
    LONG_AGO_NS,
    Expiring,
    at,
    retention,
    write_days,
)
from tests.integration.ingest.rollups.stored import due, rollups
from tests.integration.ingest.sealing.hours import HOUR_NS, Moment, Writer, everything, samples
from tests.unit.ingest.rollups.brute import HOUR_US

TABLES = ("sealed_metrics", "sealed_processes", "rollups_1m", "rollups_1h", "rollups_1d")


def left_of(
    before: Mapping[Moment, Any], now: datetime, *, days: Mapping[uuid.UUID, int], processes_days: int
) -> dict[Moment, Any]:
    """What must be left of all that was stored: whole hours that did not end too long ago."""
    now_us = int(now.timestamp() * 10**6)
    found = {}
    for (server_id, moment), one in before.items():
        age_days = (now_us - (moment // HOUR_US + 1) * HOUR_US) / (24 * HOUR_US)
        keep = days.get(server_id, 10_000)
        if age_days < keep:
            snapshot = one[-1] if age_days < min(keep, processes_days if server_id in days else 10_000) else None
            found[server_id, moment] = (*one[:-1], snapshot)
    return found


@pytest.mark.parametrize("at_once", [500, 3])
async def test_exactly_those_samples_and_snapshots_go_whose_time_is_over(expiring: Expiring, at_once: int) -> None:
    writers = {days: expiring.sealing.writer() for days in (7, 20, 30, 365)}
    unknown = expiring.sealing.writer()
    for writer in (*writers.values(), unknown):
        await write_days(writer, 40, every_h=31)
    for days, writer in writers.items():
        expiring.keep(writer, days=days)
    await expiring.settle(days=43.3)
    before = await everything(expiring.sealing.owner)
    rolled_up = {level: await rollups(expiring.sealing.owner, level) for level in (MINUTES, HOURS, DAYS)}

    await expiring.expire(at_once=at_once)

    expected = left_of(
        before,
        expiring.now,
        days={writer.owner.server_id: days for days, writer in writers.items()},
        processes_days=14,
    )
    after = await everything_left(expiring)
    assert after == expected
    assert len(after) < len(before)
    for level, found in rolled_up.items():
        left = await rollups(expiring.sealing.owner, level)
        assert {server: len(blocks) for server, blocks in left.items()} == {
            server: len(blocks) for server, blocks in found.items()
        }
    assert expiring.sealing.count("retention_behind_seconds") == 0


async def everything_left(expiring: Expiring) -> dict[Moment, Any]:
    """Everything that is stored; snapshots may have gone before their samples."""
    return dict(await everything(expiring.sealing.owner))


async def test_a_chunk_of_which_everything_is_over_goes_as_a_whole(expiring: Expiring) -> None:
    for _ in range(3):
        writer = expiring.sealing.writer()
        await write_days(writer, 3)
        expiring.keep(writer, days=7)
    await expiring.settle(days=9.5)

    await expiring.expire()

    chunks = await expiring.sealing.owner.fetchval(
        "select count(*) from timescaledb_information.chunks where hypertable_name = 'sealed_metrics'"
    )
    assert chunks == 1
    assert expiring.sealing.count("retention_chunks_total", table="sealed_metrics") == 2
    assert {one // (DAY_NS // 1000) for _, one in await everything(expiring.sealing.owner)} == {
        LONG_AGO_NS // DAY_NS + 2
    }


async def test_what_is_not_rolled_up_yet_stays(expiring: Expiring) -> None:
    writer = expiring.sealing.writer()
    await write_days(writer, 2)
    expiring.keep(writer, days=1)
    expiring.sealing.clock.now_ns = LONG_AGO_NS + 10 * DAY_NS
    await expiring.sealing.round()  # sealed with its minutes, but in no hour and day yet
    before = await everything(expiring.sealing.owner)

    await expiring.expire()
    untouched = await everything(expiring.sealing.owner)
    await expiring.settle(days=10)
    await expiring.expire()

    assert {one: value[:-1] for one, value in untouched.items()} == {one: value[:-1] for one, value in before.items()}
    assert await everything(expiring.sealing.owner) == {}
    assert await expiring.count("rollups_1d") == 1


@pytest.mark.parametrize("told", [None, []], ids=["no answer", "nobody"])
async def test_when_auth_does_not_answer_or_knows_nobody_nothing_goes(
    expiring: Expiring, told: list[Any] | None
) -> None:
    await write_days(expiring.sealing.writer(), 2)
    await expiring.settle(days=1100)
    before = [await expiring.count(table) for table in TABLES]
    expiring.servers = told

    await expiring.expire()

    assert [await expiring.count(table) for table in TABLES] == before
    assert expiring.sealing.count("retention_failures_total", reason="auth") == (1 if told is None else 0)


async def test_everything_of_a_server_that_was_deleted_goes_after_a_while(expiring: Expiring) -> None:
    gone, other = expiring.sealing.writer(), expiring.sealing.writer()
    pushed = Writer(pool=gone.pool, owner=Owner(pushed_source(gone.owner.server_id), gone.owner.organization_id))
    for writer in (gone, pushed, other):
        await write_days(writer, 3)
    expiring.keep(other, days=365)
    assert expiring.servers is not None
    expiring.servers.append(retention(gone.owner.server_id, deleted=at(3)))

    await expiring.settle(days=9.9)
    await expiring.expire()
    early = {server_id for server_id, _ in await everything(expiring.sealing.owner)}
    await expiring.settle(days=10.1)
    await expiring.expire()

    assert early == {gone.owner.server_id, pushed.owner.server_id, other.owner.server_id}
    for table in TABLES:
        rows = await expiring.sealing.owner.fetch(f"select distinct server_id from telemetry.{table}")  # noqa: S608
        assert [row["server_id"] for row in rows] == [other.owner.server_id], table


async def test_rollups_of_each_level_go_by_their_own_lifetime(expiring: Expiring) -> None:
    expiring.lifetimes = Lifetimes(processes_days=1, minutes_days=5, hours_days=60, days_days=400)
    writer = expiring.sealing.writer()
    await write_days(writer, 100, every_h=50)
    expiring.keep(writer, days=1)
    await expiring.settle(days=101)
    await expiring.settle(days=101)

    await expiring.expire()
    counts = {table: await expiring.count(table) for table in TABLES}
    firsts = {
        table: await expiring.sealing.owner.fetchval(f"select min(span_start) from telemetry.{table}")  # noqa: S608
        for table in TABLES[2:4]
    }
    await expiring.settle(days=1150)
    await expiring.expire()

    assert counts["sealed_metrics"] == counts["sealed_processes"] == 0
    assert at(96) - timedelta(hours=1) < firsts["rollups_1m"] <= at(99)
    assert at(30) <= firsts["rollups_1h"] <= at(44)
    assert counts["rollups_1d"] >= 1
    assert [await expiring.count(table) for table in TABLES] == [0, 0, 0, 0, 0]


async def test_late_samples_of_an_hour_that_is_gone_leave_its_rollups_as_they_were(expiring: Expiring) -> None:
    writer = expiring.sealing.writer()
    await writer.write(samples(50, start_ns=LONG_AGO_NS), received_ns=LONG_AGO_NS + HOUR_NS)
    expiring.keep(writer, days=7)
    await expiring.settle(days=9)
    before = {level: await expiring.sealing.owner.fetch(f"table telemetry.{level.table}") for level in (MINUTES, HOURS)}
    await expiring.expire()

    expiring.servers = [retention(writer.owner.server_id, days=365)]  # so that what is 10 days old is taken again
    late = samples(20, seed=5, start_ns=LONG_AGO_NS + 1800 * 10**9)
    await writer.write(late, received_ns=LONG_AGO_NS + 10 * DAY_NS)
    await expiring.settle(days=11)
    after = {level: await expiring.sealing.owner.fetch(f"table telemetry.{level.table}") for level in (MINUTES, HOURS)}

    assert len(await everything(expiring.sealing.owner)) == 20
    assert after == before
    assert await due(expiring.sealing.owner) == {}
    assert expiring.sealing.count("rollup_hours_expired_total") == 1


async def test_late_samples_of_an_hour_that_is_still_there_are_rolled_up(expiring: Expiring) -> None:
    writer = expiring.sealing.writer()
    await write_days(writer, 9, every_h=13)
    expiring.keep(writer, days=7)
    await expiring.settle(days=9.2)
    await expiring.expire()
    kept = await everything(expiring.sealing.owner)

    late = samples(20, seed=5, start_ns=LONG_AGO_NS + 3 * DAY_NS + 1000, step_ns=7_000_000_000)
    await writer.write(late, received_ns=LONG_AGO_NS + int(9.3 * DAY_NS))
    await expiring.settle(days=9.5)

    first_us = min(moment for _, moment in kept)
    found = await rollups(expiring.sealing.owner, MINUTES)
    minutes = [time for one in found[writer.owner.server_id] for time in one.core.times.tolist()]
    assert len(await everything(expiring.sealing.owner)) == len(kept) + 20
    assert {(LONG_AGO_NS + 3 * DAY_NS) // 1000 + number * 60_000_000 for number in range(3)} <= set(minutes)
    assert first_us < (LONG_AGO_NS + 3 * DAY_NS) // 1000
    assert expiring.sealing.count("rollup_hours_expired_total") == 0


async def test_a_chunk_that_somebody_reads_goes_later_and_nobody_waits(
    expiring: Expiring, postgres: DatabaseServer, telemetry: str
) -> None:
    writer = expiring.sealing.writer()
    await write_days(writer, 1)
    expiring.keep(writer, days=1)
    await expiring.settle(days=5)
    reader = await connect(postgres.url(database=telemetry, role="flick_query"), application_name="reader")

    async with reader.transaction():
        await reader.fetch("select count(*) from telemetry.sealed_metrics")
        await expiring.expire()
        left = await expiring.count("sealed_metrics")
    await reader.close()
    await expiring.expire()

    assert left > 0
    assert expiring.sealing.count("retention_failures_total", reason="locked") == 1
    assert await expiring.count("sealed_metrics") == 0


async def test_blocks_stay_until_their_rows_are_gone(
    expiring: Expiring, postgres: DatabaseServer, telemetry: str
) -> None:
    writer = expiring.sealing.writer()
    await write_days(writer, 1)
    expiring.keep(writer, days=1)
    reader = await connect(postgres.url(database=telemetry, role="flick_query"), application_name="reader")
    async with reader.transaction():
        await reader.fetch("select count(*) from telemetry.metrics")
        await expiring.settle(days=5)  # the chunks of rows can't be given back
    await reader.close()
    before = await everything(expiring.sealing.owner)

    await expiring.expire()
    untouched = await everything(expiring.sealing.owner)
    await expiring.settle(days=5)
    await expiring.expire()

    assert len(before) > 1
    assert untouched == before
    assert await everything(expiring.sealing.owner) == {}


@pytest.mark.parametrize(
    ("table", "moments", "why"),
    [
        ("metrics", ["2020-01-01"], "no blocks in metrics"),
        ("sealed_metrics", [None], "needs a moment"),
        ("sealed_metrics", [], "needs a moment"),
        ("sealed_metrics", ["2999-01-01"], "yesterday at the latest"),
    ],
    ids=["another table", "no moment", "too few moments", "the future"],
)
async def test_what_cannot_be_meant_is_refused(
    expiring: Expiring, table: str, moments: list[str | None], why: str
) -> None:
    befores = [None if one is None else datetime.fromisoformat(one).replace(tzinfo=UTC) for one in moments]

    with pytest.raises(asyncpg.RaiseError, match=why):
        await expiring.sealing.leader.fetch(
            "select * from telemetry.expire($1, now(), $2, $3, 10)", table, [uuid.uuid4()], befores
        )


async def test_only_ingest_takes_away_and_only_so(expiring: Expiring, postgres: DatabaseServer, telemetry: str) -> None:
    reader = await connect(postgres.url(database=telemetry, role="flick_query"), application_name="reader")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.fetch("select * from telemetry.expire('sealed_metrics', now(), '{}', '{}', 10)")
    for verb in ("delete from", "update", "truncate"):
        statement = f"{verb} telemetry.expiries" + (" set before = now()" if verb == "update" else "")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await expiring.sealing.leader.execute(statement)
    await reader.close()

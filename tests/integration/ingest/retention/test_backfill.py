"""A backlog comes in while hours are sealed, rolled up and expire: every sample is stored, no bucket is wrong."""

import asyncio
import random

from flick.db.pool import open_pool
from services.ingest.rollups.levels import DAYS, HOURS, MINUTES
from tests.databases import DatabaseServer
from tests.integration.ingest.retention.conftest import DAY_NS, LONG_AGO_NS, Expiring, write_days
from tests.integration.ingest.rollups.stored import check_level, due
from tests.integration.ingest.sealing.hours import HOUR_NS, Writer, everything, sample

LOCK_S = 5.0  # whoever waits longer for a lock fails
BACKLOG_DAYS = 3


async def test_a_late_backlog_while_all_duties_are_done_leaves_no_wrong_bucket(
    expiring: Expiring, postgres: DatabaseServer, telemetry: str
) -> None:
    rng, sealing = random.Random(32), expiring.sealing
    leaving, returning = sealing.writer(), sealing.writer()
    await write_days(leaving, 7, every_h=11)
    expiring.keep(leaving, days=3)
    expiring.keep(returning, days=30)
    await expiring.settle(days=6.9)
    sealing.clock.now_ns = LONG_AGO_NS + 8 * DAY_NS
    hours = range(0, BACKLOG_DAYS * 24, 3)
    backlog = [
        sample(LONG_AGO_NS + hour * HOUR_NS + number * 90 * 10**9 + 1000, rng=rng, processes=1)
        for hour in hours
        for number in range(20)
    ]
    rng.shuffle(backlog)
    done = asyncio.Event()

    async def keep_house() -> None:
        while not done.is_set():
            await sealing.round()
            await sealing.roll()
            await expiring.expire(at_once=5)

    url = postgres.url(database=telemetry, role="flick_ingest")
    async with open_pool(url, application_name="backlog", lock_timeout_s=LOCK_S) as pool, asyncio.TaskGroup() as both:
        both.create_task(keep_house())
        writer = Writer(pool=pool, owner=returning.owner)
        for begin in range(0, len(backlog), 60):
            again = backlog[begin // 2 : begin // 2 + 5]
            await writer.write([*backlog[begin : begin + 60], *again], received_ns=sealing.clock.now_ns - HOUR_NS)
        done.set()
    await expiring.settle(days=8)
    await expiring.expire()

    some = [returning.owner.server_id]
    assert [await check_level(sealing.owner, one, servers=some) for one in (MINUTES, HOURS, DAYS)] == [len(backlog)] * 3
    assert await due(sealing.owner) == {}
    left = {moment for server_id, moment in await everything(sealing.owner) if server_id == leaving.owner.server_id}
    assert min(left) * 1000 >= LONG_AGO_NS + 5 * DAY_NS - HOUR_NS

"""A backlog is written beside what is measured now, never before it."""

from services.ingest.writing.writer import MAX_SAMPLES
from tests.integration.ingest.agent import BACKFILL, LIVE, SECOND_NS, batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse
from tests.waiting import until

FRAME_SAMPLES = 1000
FRAMES = 6  # with the live one as many as may be unacked, and the backlog's first


async def test_a_live_frame_overtakes_a_backlog_that_waits_with_it(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at, per_commit = now_ns(), MAX_SAMPLES[BACKFILL] // FRAME_SAMPLES
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        async with fresh.database.transaction():
            await fresh.database.execute("lock table telemetry.metrics in access exclusive mode")
            await agent.send(batch(1, sample(at - 86_400 * SECOND_NS), lane=BACKFILL))
            await fresh.waits_for_a_lock()  # so that all that follows waits for its commit together
            for number in range(FRAMES):
                first = at - (FRAMES - number) * 3600 * SECOND_NS
                samples = [sample(first + index * SECOND_NS) for index in range(FRAME_SAMPLES)]
                await agent.send(batch(2 + number, *samples, lane=BACKFILL))
            await agent.send(batch(1, sample(at)))
            await until(lambda: fresh.counted("samples_received") == FRAMES * FRAME_SAMPLES + 2)
        await agent.acked(1 + FRAMES, lane=BACKFILL, within_s=30)
    acks = [(one.ack.lane, one.ack.seq) for one in agent.heard if one.HasField("ack")]

    assert acks[:2] == [(BACKFILL, 1), (LIVE, 1)]
    assert acks[2:] == [(BACKFILL, 1 + done) for done in range(per_commit, FRAMES + 1, per_commit)]
    assert len(await fresh.stored(enrolled)) == FRAMES * FRAME_SAMPLES + 2

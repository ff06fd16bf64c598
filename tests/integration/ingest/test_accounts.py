"""sent = stored + counted: whatever way a sample takes, it is stored or a counter says why not."""

import asyncio
import math

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from flick.bus import live
from flick.v1 import catalog_pb2, ingest_pb2, telemetry_pb2
from services.ingest.intake.admission import Admission
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import LIVE, SECOND_NS, ScriptedAgent, batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse, ingest_house
from tests.waiting import until

DAY_NS = 86_400 * SECOND_NS
WAYS = ("stored", "duplicate", "rejected", "returned", "discarded")


class Accountant:
    """An agent that counts what it sends, and what it is told of it."""

    def __init__(self, agent: ScriptedAgent) -> None:
        self.agent = agent
        self.sent = 0
        self.rejected = 0

    async def send(self, frame: Message) -> None:
        """Send a frame."""
        self.sent += len(getattr(frame, "samples", ())) + len(getattr(frame, "records", ()))
        await self.agent.send(frame)

    async def acked(self, seq: int) -> None:
        """Wait for an ack of the live lane."""
        self.rejected += sum(one.count for one in await self.agent.acked(seq, within_s=30))

    async def send_until_acked(self, frame: ingest_pb2.MetricBatch) -> None:
        """Send a frame as often as RetryAfter asks for it."""
        async with asyncio.timeout(60):
            while True:
                await self.send(frame)
                kinds = ingest_pb2.Ack | ingest_pb2.RetryAfter
                answer = await self.agent.expect(kinds, within_s=30)  # type: ignore[arg-type]
                if isinstance(answer, ingest_pb2.Ack):
                    self.rejected += sum(one.count for one in answer.rejected)
                    return
                await asyncio.sleep(answer.delay.ToNanoseconds() / 1e9)


async def _send_what_is_stored_rejected_or_cut(agent: Accountant, at: int) -> None:
    series = [
        telemetry_pb2.Series(metric=catalog_pb2.METRIC_CPU_CORE_UTILIZATION, label_values=[str(number)])
        for number in range(2003)
    ]
    processes = [telemetry_pb2.Process(pid=pid) for pid in range(203)]
    await agent.send(batch(1, sample(at, 0.1), sample(at + 1000, 0.2)))
    await agent.acked(1)
    await agent.send(
        batch(
            2,
            sample(at, 0.1),  # a duplicate
            sample(at + 1000, 0.9),  # a conflict
            sample(at + DAY_NS),  # of the future
            sample(at - 3 * DAY_NS),  # too old
            sample(at + 2000, layout_id=9, labelled=[1.0]),  # without a layout
            sample(at + 3000, math.inf),  # malformed
            sample(at + 4000),
        )
    )
    await agent.send(ingest_pb2.LogBatch(lane=LIVE, seq=3, records=[ingest_pb2.LogRecord(body="x")] * 3))
    cut = sample(at + 5000, layout_id=1, labelled=[1.0] * 2003, processes=processes)
    await agent.send(batch(4, cut, layouts=[telemetry_pb2.Layout(layout_id=1, series=series)]))
    no_span = ingest_pb2.Gap(lane=LIVE, seq=5, end_time=Timestamp(seconds=-1))  # refused, and it has no samples
    await agent.send(no_span)
    await agent.acked(5)


async def _send_while_the_database_fails(ingest: IngestHouse, agent: Accountant, at: int) -> None:
    first = batch(6, sample(at + 6000), sample(at + DAY_NS))
    second = batch(7, sample(at + 7000))
    async with ingest.database.transaction():
        await ingest.database.execute("lock table telemetry.metrics in access exclusive mode")
        await agent.send(first)
        await ingest.waits_for_a_lock()
        await agent.send(second)  # the writer lets it go: what is before it comes back
        await until(lambda: ingest.counted("samples_received") == agent.sent)
        await ingest.end_connections()
        await agent.agent.expect(ingest_pb2.RetryAfter)
    await agent.send(second)  # passed over: it is still behind what came back
    await agent.send_until_acked(first)
    await agent.send_until_acked(second)


async def _send_for_viewers(ingest: IngestHouse, agent: Accountant, server_id: str) -> None:
    await agent.agent.send(ingest_pb2.LiveBatch(samples=[sample(now_ns()), sample(now_ns() + 1000)]))
    await until(lambda: ingest.count("live_dropped_total", reason="not_watched") == 2)
    await ingest.bus.put([live.watched_key(server_id)], b"1", expire_s=live.WATCH_EXPIRES_S)
    await ingest.bus.publish([(live.WATCHED_CHANNEL, live.encode_server_ids([server_id]))])
    await agent.agent.expect(ingest_pb2.LiveMode)
    await agent.agent.send(ingest_pb2.LiveBatch(samples=[sample(now_ns()), sample(now_ns(), math.inf)]))
    await agent.send(batch(8, sample(now_ns())))  # stored, and published too
    await agent.acked(8)


async def test_everything_that_is_sent_is_stored_or_counted(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll(retention_days=2)
    at = now_ns()
    async with fresh.agent(enrolled) as scripted:
        agent = Accountant(scripted)
        await scripted.hello()
        await _send_what_is_stored_rejected_or_cut(agent, at)
        await _send_while_the_database_fails(fresh, agent, at)
        await _send_for_viewers(fresh, agent, enrolled.server_id)
        await agent.send(batch(100, sample(now_ns()), sample(now_ns())))  # breaks the protocol
        await scripted.ending()
    await fresh.settled()
    ways = {way: fresh.counted(f"samples_{way}") for way in WAYS}
    reasons = {
        reason: fresh.count("samples_rejected_total", reason=reason)
        for reason in ("conflict", "future", "too_old", "layout", "malformed", "unsupported")
    }
    discarded = {
        reason: fresh.count("samples_discarded_total", reason=reason)
        for reason in ("not_wanted", "rewound", "protocol")
    }

    assert (fresh.counted("samples_received"), sum(ways.values())) == (agent.sent, agent.sent), ways
    assert ways["stored"] == len(await fresh.stored(enrolled)) == 7
    assert ways["rejected"] == agent.rejected
    assert ways["duplicate"] == 1
    assert reasons == {"conflict": 1, "future": 2, "too_old": 1, "layout": 1, "malformed": 1, "unsupported": 3}
    assert ways["returned"] >= 2
    assert ways["returned"] % 2 == 0, "a frame of two samples, one of them refused, comes back as two"
    assert discarded["protocol"] == 2
    assert discarded["not_wanted"] + discarded["rewound"] == 2
    assert (fresh.count("overflow_total", kind="series"), fresh.count("overflow_total", kind="processes")) == (3, 3)
    assert (fresh.count("frames_ignored_total", kind="gap"), fresh.counted("gaps_stored")) == (1, 0)
    await until(lambda: fresh.counted("live_published") == 2)  # one of them stored as well
    assert fresh.counted("live_received") == 4
    assert fresh.counted("live_published") + fresh.counted("live_dropped") == 4 + 1


async def test_what_waits_for_room_when_its_stream_ends_is_counted(
    postgres: DatabaseServer, telemetry: str, redis_url: str
) -> None:
    narrow = Admission(admitted_bytes=1)
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, admission=narrow) as house:
        first, second = await house.enroll(), await house.enroll()
        async with house.agent(first) as holder:
            await holder.hello()
            async with house.database.transaction():
                await house.database.execute("lock table telemetry.metrics in access exclusive mode")
                await holder.send(batch(1, sample(now_ns())))
                await house.waits_for_a_lock()
                async with house.agent(second) as waiting:
                    await waiting.hello()
                    await waiting.send(batch(1, sample(now_ns()), sample(now_ns() + 1000)))
                    await until(lambda: house.counted("samples_received") == 3)
                await until(lambda: house.count("samples_discarded_total", reason="stream_ended") == 2)
            await holder.acked(1)

        assert house.counted("samples_received") == sum(house.counted(f"samples_{way}") for way in WAYS) == 3

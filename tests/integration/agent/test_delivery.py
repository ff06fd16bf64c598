"""What was measured reaches ingest, whatever happens to streams and acks."""

import asyncio
from dataclasses import replace

import grpc
import pytest

from agent.collectors.failure import Failure
from agent.identity import Identity
from flick.v1 import ingest_pb2, servers_pb2
from tests.integration.agent.certificates import Issued
from tests.integration.agent.ingest import ScriptedIngest, Visit, seconds, serving
from tests.integration.agent.streaming import BACKFILL, KEY, LIVE, Agent, streaming, times
from tests.waiting import until


async def test_the_agent_says_who_it_is_and_streams_after_welcome(identity: Identity, tls: Issued) -> None:
    got: list[ingest_pb2.MetricBatch] = []

    async def script(visit: Visit) -> None:
        await visit.welcome()
        got.append(await visit.batch())
        await visit.ack(got[0])
        got.append(await visit.batch())

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls) as agent:
        await agent.welcomed()
        measured = [*agent.measure()]
        await until(lambda: not agent.spool.held())
        measured += agent.measure()
        await ingest.played()
        hello = ingest.visits[0].hello

        assert ingest.visits[0].metadata["authorization"] == f"Bearer {KEY}"
        assert hello.agent_version == "1.2.3"
        assert hello.spool_id == agent.spool.spool_id
        assert hello.host == agent.host
        assert [(lane.lane, lane.seq) for lane in hello.lanes] == [(LIVE, 1), (BACKFILL, 1)]
        assert [(batch.lane, batch.seq) for batch in got] == [(LIVE, 1), (LIVE, 2)]
        assert [times(batch) for batch in got] == [measured[:1], measured[1:]]
        assert [len(batch.layouts) for batch in got] == [1, 0]
        assert [list(series.label_values) for series in got[0].layouts[0].series] == [["0"], ["1"]]


async def test_what_was_measured_without_a_stream_follows_as_backlog_and_the_newest_is_live(
    identity: Identity, tls: Issued
) -> None:
    got: dict[int, list[int]] = {LIVE: [], BACKFILL: []}

    async def script(visit: Visit) -> None:
        await visit.welcome()
        while sum(map(len, got.values())) < 6:
            batch = await visit.batch()
            got[batch.lane] += times(batch)
            await visit.ack(batch)

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls, waiting=5) as agent:
        await agent.welcomed()
        newest = agent.measure()
        await ingest.played()

    assert got[LIVE] == newest
    assert got[BACKFILL] == [*agent.before[3:], *agent.before[1:3], agent.before[0]], "the newest first"


async def test_unacked_frames_are_sent_again_with_their_seq_on_the_next_stream(identity: Identity, tls: Issued) -> None:
    first: list[bytes] = []
    second: list[bytes] = []

    async def lose(visit: Visit) -> None:
        await visit.welcome(batches=3)
        await agent.welcomed()
        agent.measure()
        for _ in range(3):
            batch = await visit.batch()
            first.append(batch.SerializeToString())
            if len(first) == 1:
                await visit.ack(batch)
                agent.measure()
            if len(first) == 2:
                agent.measure()
        await visit.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    async def take(visit: Visit) -> None:
        await visit.welcome()
        second.extend([(await visit.batch()).SerializeToString() for _ in range(2)])
        await visit.until_gone()

    ingest = ScriptedIngest(lose, take)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.played()
        await until(lambda: len(second) >= 2)

    sent = [ingest_pb2.MetricBatch.FromString(data) for data in first]
    again = [ingest_pb2.MetricBatch.FromString(data) for data in second]
    assert ingest.visits[0].hello.spool_id == ingest.visits[1].hello.spool_id
    assert ingest.visits[1].hello.lanes[0].seq == 2
    assert [batch.seq for batch in again] == [2, 3]
    assert [times(batch) for batch in again] == [times(batch) for batch in sent[1:]]
    assert len(again[0].layouts) == 1


async def test_credits_bound_what_is_on_its_way(identity: Identity, tls: Issued) -> None:
    seen: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.welcome(batches=2)
        await agent.welcomed()
        for _ in range(2):
            agent.measure()
            seen.append((await visit.batch()).seq)
        agent.measure(3)
        await visit.nothing_else()

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.played()

    assert seen == [1, 2]


async def test_retry_after_brings_the_same_frame_again_after_the_wait(identity: Identity, tls: Issued) -> None:
    got: list[ingest_pb2.MetricBatch] = []
    waited_s = 0.0

    async def script(visit: Visit) -> None:
        nonlocal waited_s
        await visit.welcome()
        await agent.welcomed()
        agent.measure()
        got.append(await visit.batch())
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        await visit.say(retry_after=ingest_pb2.RetryAfter(lane=got[0].lane, seq=got[0].seq, delay=seconds(0.6)))
        got.append(await visit.batch())
        waited_s = loop.time() - asked_s
        await visit.ack(got[1])

    ingest = ScriptedIngest(script, Visit.until_gone)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.played()
        await until(lambda: not agent.spool.held())

    assert got[0] == got[1]
    assert waited_s >= 0.55


async def test_a_pong_tells_which_collectors_can_t_measure(identity: Identity, tls: Issued) -> None:
    told: list[ingest_pb2.SpoolStatus] = []

    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.say(ping=ingest_pb2.Ping(ping_id=1))
        told.append((await visit.next()).pong.spool)

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls) as agent:
        since_s = agent.clock.boottime_s() - 100
        agent.failing[:] = [Failure(f"collector {number}", "x" * 999, since_s) for number in range(60)]
        await ingest.played()
        since_ns = agent.timeline.mark.offset_ns + since_s * 1e9

    assert len(told[0].failing_collectors) == 50
    assert told[0].failing_collectors[0].collector == "collector 0"
    assert told[0].failing_collectors[0].reason == "x" * 400
    assert told[0].failing_collectors[0].since_time.ToNanoseconds() == pytest.approx(since_ns, abs=1e6)


async def test_hello_and_pong_tell_how_the_spool_stands(identity: Identity, tls: Issued) -> None:
    told: list[ingest_pb2.SpoolStatus] = []

    async def script(visit: Visit) -> None:
        told.append((await visit.welcome()).spool)
        for _ in range(2):
            await visit.ack(await visit.batch())
        await visit.say(ping=ingest_pb2.Ping(ping_id=1))
        told.append((await visit.next()).pong.spool)

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls, waiting=3) as agent:
        await ingest.played()

    assert [(one.taken_samples, one.acked_samples, one.held_samples) for one in told] == [(3, 0, 3), (3, 3, 0)]
    assert told[0].oldest_time.ToNanoseconds() == agent.before[0]


async def test_an_ack_of_what_was_never_sent_ends_only_the_stream(identity: Identity, tls: Issued) -> None:
    async def lie(visit: Visit) -> None:
        await visit.welcome()
        await visit.say(ack=ingest_pb2.Ack(lane=LIVE, seq=99))
        await visit.until_gone()

    async def take(visit: Visit) -> None:
        await visit.welcome()
        await agent.welcomed()
        agent.measure()
        assert (await visit.batch()).seq == 1

    ingest = ScriptedIngest(lie, take)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.done.get()
        await ingest.played()


async def test_stopping_sends_what_waits_and_ends_when_all_is_acked(identity: Identity, tls: Issued) -> None:
    got: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.welcome(batches=1)
        try:
            while True:
                batch = await visit.batch()
                got.extend(times(batch))
                await visit.nothing_else()
                await visit.ack(batch)
        except EOFError:
            return

    ingest = ScriptedIngest(script)
    async with serving(ingest, tls=tls) as address:
        agent = Agent(replace(identity, ingest_address=address))
        task = asyncio.create_task(agent.uplink.run())
        await agent.welcomed()
        measured = agent.measure(5)
        agent.uplink.stop()
        await asyncio.wait_for(task, 5)

    assert got == measured
    assert agent.spool.held() == 0


async def test_a_full_queue_tells_its_gap(identity: Identity, tls: Issued) -> None:
    frames: list[ingest_pb2.StreamTelemetryRequest] = []

    async def script(visit: Visit) -> None:
        await visit.welcome()
        while len(frames) < 6:
            frames.append(await visit.next())
            await visit.ack(frames[-1].gap if frames[-1].HasField("gap") else frames[-1].metric_batch)

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls, waiting=20, max_bytes=200) as agent:
        await ingest.played()
    measured = agent.before

    gap = frames[0].gap
    kept = sorted(time for frame in frames[1:] for time in times(frame.metric_batch))
    assert gap.reason == ingest_pb2.GAP_REASON_SPOOL_FULL
    assert gap.dropped_samples == agent.spool.counts.dropped == measured.index(kept[0]) > 0
    assert gap.start_time.ToNanoseconds() == measured[0]
    assert gap.end_time.ToNanoseconds() == kept[0]


async def test_a_pong_tells_of_the_host_when_that_has_changed_and_the_next_hello_tells_it_all(
    identity: Identity, tls: Issued
) -> None:
    pongs: list[ingest_pb2.Pong] = []

    async def pong(visit: Visit) -> ingest_pb2.Pong:
        await visit.say(ping=ingest_pb2.Ping(ping_id=len(pongs)))
        pongs.append((await visit.next()).pong)
        return pongs[-1]

    async def script(visit: Visit) -> None:
        await visit.welcome()
        await pong(visit)
        agent.host = servers_pb2.Host(hostname="moved", addresses=["192.0.2.7"])
        await pong(visit)
        await pong(visit)

    async def again(visit: Visit) -> None:
        await visit.welcome()
        await visit.until_gone()

    ingest = ScriptedIngest(script, again)
    async with streaming(ingest, identity, tls) as agent:
        before = agent.host
        await ingest.played()
        await until(lambda: len(ingest.visits) == 2 and ingest.visits[1].hello.spool_id)

    assert ingest.visits[0].hello.host == before
    assert [one.HasField("host") for one in pongs] == [False, True, False]
    assert pongs[1].host == agent.host == ingest.visits[1].hello.host


async def test_nothing_is_told_of_a_host_that_is_not_known(identity: Identity, tls: Issued) -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.until_gone()

    ingest = ScriptedIngest(script)
    async with serving(ingest, tls=tls) as address:
        agent = Agent(replace(identity, ingest_address=address))
        agent.host = servers_pb2.Host()
        task = asyncio.create_task(agent.uplink.run())
        await agent.welcomed()
        task.cancel()
        await asyncio.wait([task])

    assert not ingest.visits[0].hello.HasField("host")

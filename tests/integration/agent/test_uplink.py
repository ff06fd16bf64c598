import asyncio
import logging
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest

from agent.host import this_host
from agent.identity import Identity
from agent.sampler.orders import Orders
from agent.sampler.timeline import Timeline
from agent.spool.frame import Entry
from agent.spool.memory import MemorySpool, SpoolLimits
from agent.uplink.backoff import Backoff
from agent.uplink.uplink import Uplink
from flick.clock import SystemClock
from flick.v1 import ingest_pb2, telemetry_pb2
from tests.integration.agent.certificates import Authority, Issued
from tests.integration.agent.ingest import ScriptedIngest, Visit, seconds, serving, settings

KEY = "flk_id_secret_crc"
SERIES = ((500, ("0",)), (500, ("1",)))
LIVE, BACKFILL = ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL


class Agent:
    """An uplink without a sampler: the test measures."""

    def __init__(self, identity: Identity, *, silent_s: float = 10.0, max_bytes: int = 1_000_000) -> None:
        self.clock = SystemClock()
        self.orders = Orders()
        self.timeline = Timeline(clock=self.clock)
        self.spool = MemorySpool(spool_id=uuid.uuid4(), limits=SpoolLimits(max_bytes=max_bytes, frame_samples=2))
        self.uplink = Uplink(
            identity=identity,
            spool=self.spool,
            orders=self.orders,
            timeline=self.timeline,
            clock=self.clock,
            backoff=Backoff(rng=random.Random(1), base_s=0.02, cap_s=0.1),
            host=this_host(),
            version="1.2.3",
            silent_s=silent_s,
        )
        self.time_ns = 1_790_000_000_000_000_000
        self.before: list[int] = []

    async def welcomed(self) -> None:
        """Wait for the next Welcome."""
        await asyncio.wait_for(self.orders.changed.wait(), 10)
        self.orders.changed.clear()

    def measure(self, count: int = 1) -> list[int]:
        """Put samples into the spool; returns their times."""
        taken = []
        for _ in range(count):
            self.time_ns += 1_000_000_000
            layout_id = self.spool.layout_id(SERIES)
            sample = telemetry_pb2.Sample(
                time_unix_nano=self.time_ns, core=[0.5], layout_id=layout_id, labelled=[0.25, 0.75]
            )
            self.spool.put(Entry(time_ns=self.time_ns, layout_id=layout_id, payload=sample.SerializeToString()))
            taken.append(self.time_ns)
            self.uplink.wake()
        return taken


@pytest.fixture
def identity(authority: Authority) -> Identity:
    return Identity(server_id="server", agent_key=KEY, ingest_address="127.0.0.1:1", ca_pem=authority.pem)


@asynccontextmanager
async def streaming(
    ingest: ScriptedIngest, identity: Identity, tls: Issued, *, waiting: int = 0, **more: float
) -> AsyncIterator[Agent]:
    """An agent that holds a stream to `ingest`, begun when `waiting` samples had been taken."""
    async with serving(ingest, tls=tls) as address:
        agent = Agent(replace(identity, ingest_address=address), **more)  # type: ignore[arg-type]
        agent.before = agent.measure(waiting)
        task = asyncio.create_task(agent.uplink.run())
        try:
            yield agent
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()


def times(batch: ingest_pb2.MetricBatch) -> list[int]:
    return [sample.time_unix_nano for sample in batch.samples]


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
        while agent.spool.held():
            await asyncio.sleep(0.01)
        measured += agent.measure()
        await ingest.played()
        hello = ingest.visits[0].hello

        assert ingest.visits[0].metadata["authorization"] == f"Bearer {KEY}"
        assert hello.agent_version == "1.2.3"
        assert hello.spool_id == agent.spool.spool_id
        assert hello.host == this_host()
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
    assert got[BACKFILL] == agent.before


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
        while len(second) < 2:
            await asyncio.sleep(0.01)

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
        for _ in range(5):
            agent.measure()
            await asyncio.sleep(0.05)
        seen.extend([(await visit.batch()).seq for _ in range(2)])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(visit._context.read(), 0.5)

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

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.played()
        while agent.spool.held():
            await asyncio.sleep(0.01)

    assert got[0] == got[1]
    assert waited_s >= 0.55


async def test_a_frame_that_can_never_be_taken_is_replaced_by_a_gap(identity: Identity, tls: Issued) -> None:
    gaps: list[ingest_pb2.Gap] = []

    async def refuse(visit: Visit) -> None:
        await visit.welcome()
        await agent.welcomed()
        agent.measure()
        batch = await visit.batch()
        await visit.say(
            fatal=ingest_pb2.Fatal(
                code=ingest_pb2.FATAL_CODE_MALFORMED, message="can't be read", lane=batch.lane, seq=batch.seq
            )
        )
        await visit.until_gone()

    async def take(visit: Visit) -> None:
        await visit.welcome()
        gaps.append((await visit.next()).gap)
        await visit.ack(gaps[0])
        agent.measure()
        batch = await visit.batch()
        assert batch.seq == 2
        await visit.ack(batch)

    ingest = ScriptedIngest(refuse, take)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.done.get()
        await ingest.played()
        while agent.spool.held():
            await asyncio.sleep(0.01)
        counts = agent.spool.counts

    assert (gaps[0].lane, gaps[0].seq, gaps[0].dropped_samples) == (LIVE, 1, 1)
    assert gaps[0].reason == ingest_pb2.GAP_REASON_REFUSED
    assert (counts.taken, counts.acked, counts.refused) == (2, 1, 1)


async def test_drain_lets_acks_come_in_and_the_agent_returns_when_it_was_asked_to(
    identity: Identity, tls: Issued
) -> None:
    left_s = returned_s = 0.0
    again: list[int] = []

    async def drain(visit: Visit) -> None:
        nonlocal left_s
        await visit.welcome()
        await agent.welcomed()
        agent.measure()
        batch = await visit.batch()
        await visit.say(drain=ingest_pb2.Drain(deadline=seconds(5), reconnect_after=seconds(0.7)))
        await visit.say(ping=ingest_pb2.Ping(ping_id=1))
        assert (await visit.next()).pong.ping_id == 1  # by now it knows
        agent.measure()
        await asyncio.sleep(0.3)
        await visit.ack(batch)
        await visit.until_gone()
        left_s = asyncio.get_running_loop().time()

    async def take(visit: Visit) -> None:
        nonlocal returned_s
        returned_s = asyncio.get_running_loop().time()
        hello = await visit.welcome()
        again.extend(lane.seq for lane in hello.lanes)
        batch = await visit.batch()
        await visit.ack(batch)

    ingest = ScriptedIngest(drain, take)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.played()
        await ingest.played()

    assert again == [2, 1]
    assert 0.6 <= returned_s - left_s < 3


async def test_a_silent_ingest_is_given_up(identity: Identity, tls: Issued) -> None:
    async def mute(visit: Visit) -> None:
        await visit.welcome()
        await visit.until_gone()

    async def back(visit: Visit) -> None:
        await visit.welcome()

    ingest = ScriptedIngest(mute, back)
    async with streaming(ingest, identity, tls, silent_s=0.5):
        while len(ingest.visits) < 2:
            await asyncio.sleep(0.02)

    assert len(ingest.visits) >= 2


async def test_an_ingest_that_pings_is_kept_and_gets_its_pongs(identity: Identity, tls: Issued) -> None:
    pongs: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.welcome()
        for number in range(1, 8):
            await visit.say(ping=ingest_pb2.Ping(ping_id=number))
            pongs.append((await visit.next()).pong.ping_id)
            await asyncio.sleep(0.15)

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls, silent_s=0.6):
        await ingest.played()

    assert pongs == [1, 2, 3, 4, 5, 6, 7]


async def test_a_command_is_refused(identity: Identity, tls: Issued) -> None:
    answers: list[ingest_pb2.CommandOutput] = []

    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.say(command=ingest_pb2.Command(command_id="c1", name="reboot"))
        answers.append((await visit.next()).command_output)

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls):
        await ingest.played()

    assert (answers[0].command_id, answers[0].refusal) == ("c1", "this agent runs no commands")


async def test_settings_and_live_mode_reach_the_sampler_and_end_with_the_stream(
    identity: Identity, tls: Issued
) -> None:
    live = ingest_pb2.LiveMode(enabled=True, interval=seconds(1))
    hold = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.welcome(settings=settings(interval_s=7, processes=True, commands=False), live_mode=live)
        await hold.wait()

    ingest = ScriptedIngest(script, Visit.until_gone)
    async with streaming(ingest, identity, tls) as agent:
        while agent.orders.wanted.live_interval_s is None:
            await asyncio.sleep(0.01)
        watched = agent.orders.wanted
        hold.set()
        while agent.orders.wanted.live_interval_s is not None:
            await asyncio.sleep(0.01)
        after = agent.orders.wanted

    assert (watched.interval_s, watched.processes, watched.commands, watched.live_interval_s) == (7, True, False, 1.0)
    assert (after.interval_s, after.commands) == (7, False)


async def test_samples_for_viewers_travel_apart_with_their_layout_and_are_not_kept(
    identity: Identity, tls: Issued
) -> None:
    frames: list[ingest_pb2.LiveBatch] = []

    async def script(visit: Visit) -> None:
        await visit.welcome()
        for moment in (1, 2):
            layout_id = agent.spool.layout_id(SERIES)
            sample = telemetry_pb2.Sample(time_unix_nano=moment, layout_id=layout_id, labelled=[1, 2])
            agent.uplink.show(sample, agent.spool.layout(layout_id))
            frames.append((await visit.next()).live_batch)

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.played()
        held = agent.spool.held()

    assert [[sample.time_unix_nano for sample in frame.samples] for frame in frames] == [[1], [2]]
    assert [len(frame.layouts) for frame in frames] == [1, 0]
    assert held == 0


@pytest.mark.parametrize("by_fatal", [True, False])
async def test_a_revoked_key_is_said_once_and_tried_only_at_the_cap(
    identity: Identity, tls: Issued, caplog: pytest.LogCaptureFixture, by_fatal: bool
) -> None:
    async def revoked(visit: Visit) -> None:
        if by_fatal:
            await visit.welcome()
            fatal = ingest_pb2.Fatal(code=ingest_pb2.FATAL_CODE_REVOKED, message="The agent key was revoked.")
            await visit.say(fatal=fatal)
            await visit.until_gone()
        else:
            await visit.abort(grpc.StatusCode.UNAUTHENTICATED, "The agent key was revoked.")

    ingest = ScriptedIngest(revoked)
    with caplog.at_level(logging.WARNING):
        async with streaming(ingest, identity, tls):
            began_s = asyncio.get_running_loop().time()
            while len(ingest.visits) < 4:
                await asyncio.sleep(0.01)
            passed_s = asyncio.get_running_loop().time() - began_s

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "The agent key was revoked." in said[0]
    assert "flick-agent enroll" in said[0]
    assert passed_s >= 0.3
    assert KEY not in caplog.text


async def test_a_clock_that_is_off_is_said_and_samples_are_moved_to_ingests_time(
    identity: Identity, tls: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.welcome(ahead_s=3600.0)
        got.extend(times(await visit.batch()))

    ingest = ScriptedIngest(script)
    with caplog.at_level(logging.WARNING):
        async with streaming(ingest, identity, tls, waiting=1) as agent:
            await ingest.played()

    assert "3600 s behind" in caplog.text
    assert got[0] - agent.before[0] == pytest.approx(3600e9, abs=2e9)


async def test_rejected_samples_are_told_with_their_reason_and_never_sent_again(
    identity: Identity, tls: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        await agent.welcomed()
        agent.measure()
        batch = await visit.batch()
        rejection = ingest_pb2.Rejection(
            seq=batch.seq, reason=ingest_pb2.REJECTION_REASON_CONFLICT, count=1, detail="another sample is there"
        )
        await visit.say(ack=ingest_pb2.Ack(lane=batch.lane, seq=batch.seq, rejected=[rejection]))

    ingest = ScriptedIngest(script, Visit.until_gone)
    with caplog.at_level(logging.WARNING):
        async with streaming(ingest, identity, tls) as agent:
            await ingest.played()
            while agent.spool.held():
                await asyncio.sleep(0.01)

    assert "another sample is there" in caplog.text


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
                await asyncio.sleep(0.05)
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
        while len(frames) < 3:
            frames.append(await visit.next())

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls, waiting=20, max_bytes=200) as agent:
        await ingest.played()
    measured = agent.before

    gap = frames[0].gap
    kept = times(frames[1].metric_batch) + times(frames[2].metric_batch)
    assert gap.reason == ingest_pb2.GAP_REASON_SPOOL_FULL
    assert gap.dropped_samples == agent.spool.counts.dropped == measured.index(kept[0]) > 0
    assert gap.start_time.ToNanoseconds() == measured[0]
    assert gap.end_time.ToNanoseconds() == kept[0]

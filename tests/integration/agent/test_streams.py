"""The life of a stream: drain, silence, refusal, live mode, the moment of sending, return."""

import asyncio
import logging

import grpc
import pytest

from agent.identity import Identity
from agent.sampler.orders import Wanted
from agent.uplink.spread import held_back_s
from flick.v1 import ingest_pb2, telemetry_pb2
from tests.integration.agent.certificates import Issued
from tests.integration.agent.ingest import WITHIN_S, ScriptedIngest, Visit, seconds, settings
from tests.integration.agent.streaming import KEY, SERIES, streaming, times
from tests.waiting import until

FOREVER_S = 10 * WITHIN_S  # spread over this, this server's sample would come too late for the test


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
        await visit.nothing_else()  # by now it knows
        agent.measure()
        await visit.nothing_else()
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
        await until(lambda: len(ingest.visits) >= 2)

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


async def test_a_pong_tells_the_agents_clock_at_sending(identity: Identity, tls: Issued) -> None:
    moments: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.welcome()
        moments.append(agent.clock.time_unix_nano())
        await visit.say(ping=ingest_pb2.Ping(ping_id=1))
        moments.append((await visit.next()).pong.send_time.ToNanoseconds())
        moments.append(agent.clock.time_unix_nano())

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls) as agent:
        await ingest.played()

    assert len(moments) == 3
    assert moments == sorted(moments)


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
        await until(lambda: agent.orders.wanted.live_interval_s is not None)
        watched = agent.orders.wanted
        hold.set()
        await until(lambda: agent.orders.wanted.live_interval_s is None)
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
            await until(lambda: len(ingest.visits) >= 4)
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


async def test_a_new_sample_is_held_back_until_this_servers_moment(identity: Identity, tls: Issued) -> None:
    waited_s = 0.0
    spread_s = 0.9
    phase_s = held_back_s(server_id=identity.server_id, wanted=Wanted(), spread_s=spread_s)

    async def script(visit: Visit) -> None:
        nonlocal waited_s
        await visit.welcome()
        await agent.welcomed()
        loop = asyncio.get_running_loop()
        taken_s = loop.time()
        agent.measure()
        await visit.batch()
        waited_s = loop.time() - taken_s

    ingest = ScriptedIngest(script, Visit.until_gone)
    async with streaming(ingest, identity, tls, spread_s=spread_s) as agent:
        await ingest.played()

    assert 0 < phase_s < spread_s
    assert waited_s >= phase_s - 0.01  # what the loop's clock may be early by


async def test_hello_and_pong_tell_for_how_long_samples_are_held_back(identity: Identity, tls: Issued) -> None:
    told: list[ingest_pb2.SpoolStatus] = []

    async def script(visit: Visit) -> None:
        live = ingest_pb2.LiveMode(enabled=True, interval=seconds(1))
        told.append((await visit.welcome(live_mode=live)).spool)
        await visit.say(ping=ingest_pb2.Ping(ping_id=1))
        told.append((await visit.next()).pong.spool)

    ingest = ScriptedIngest(script, Visit.until_gone)
    async with streaming(ingest, identity, tls, spread_s=0.9):
        await ingest.played()
    phase_s = held_back_s(server_id=identity.server_id, wanted=Wanted(), spread_s=0.9)

    assert [one.held_back.ToNanoseconds() / 1e9 for one in told] == pytest.approx([phase_s, phase_s])


async def test_a_watched_servers_new_sample_is_sent_at_once(identity: Identity, tls: Issued) -> None:
    live = ingest_pb2.LiveMode(enabled=True, interval=seconds(1))
    got: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.welcome(settings=settings(interval_s=300), live_mode=live)
        await agent.welcomed()
        agent.measure()
        got.extend(times(await visit.batch()))

    ingest = ScriptedIngest(script, Visit.until_gone)
    async with streaming(ingest, identity, tls, spread_s=FOREVER_S) as agent:
        await ingest.played()

    assert got == [agent.time_ns]


async def test_an_agent_that_stops_holds_nothing_back(identity: Identity, tls: Issued) -> None:
    got: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.welcome(settings=settings(interval_s=300))
        await agent.welcomed()
        agent.measure()
        agent.uplink.stop()
        batch = await visit.batch()
        got.extend(times(batch))
        await visit.ack(batch)
        await visit.until_gone()

    ingest = ScriptedIngest(script)
    async with streaming(ingest, identity, tls, spread_s=FOREVER_S) as agent:
        await ingest.played()

    assert got == [agent.time_ns]

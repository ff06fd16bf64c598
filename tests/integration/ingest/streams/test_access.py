"""Revoked keys end their streams, changed settings reach them."""

from flick.errors import Kind
from flick.v1 import ingest_pb2, telemetry_pb2
from tests.integration.ingest.agent import batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse
from tests.waiting import eventually


async def test_a_revoked_key_ends_its_stream_and_nothing_more_is_stored(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(now_ns())))
        await agent.acked(1)
        stored = len(await ingest.stored(enrolled))
        ingest.auth.revoke(enrolled)
        error = await agent.ending(within_s=5)
    async with ingest.agent(enrolled) as again:
        refused = await again.ending()

    assert error is not None
    assert refused is not None
    assert (error.kind, error.reason, refused.kind) == (Kind.UNAUTHENTICATED, "REVOKED", Kind.UNAUTHENTICATED)
    assert agent.last("fatal").code == ingest_pb2.FATAL_CODE_REVOKED
    assert len(await ingest.stored(enrolled)) == stored == 1


async def test_what_waits_for_the_writer_when_its_key_is_revoked_is_not_stored(fresh: IngestHouse) -> None:
    enrolled, other = await fresh.enroll(), await fresh.enroll()
    async with fresh.agent(enrolled) as agent, fresh.agent(other) as busy:
        await agent.hello()
        await busy.hello()
        async with fresh.database.transaction():
            await fresh.database.execute("lock table telemetry.metrics in access exclusive mode")
            await busy.send(batch(1, sample(now_ns())))  # its commit waits for the lock, and all others for it
            await fresh.waits_for_a_lock()
            await agent.send(batch(1, sample(now_ns())))
            await _arrived(fresh, samples=2)
            fresh.auth.revoke(enrolled)
            error = await agent.ending(within_s=5)
        await busy.acked(1)
        await busy.send(batch(2, sample(now_ns())))
        await busy.acked(2)

    assert error is not None
    assert error.reason == "REVOKED"
    assert await fresh.stored(enrolled) == []
    assert fresh.count("samples_discarded_total", reason="not_wanted") == 1


async def test_a_revocation_is_noticed_while_auths_stream_is_broken(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        fresh.auth.mute()
        fresh.auth.revoke(enrolled)
        error = await agent.ending(within_s=20)

    assert error is not None
    assert error.reason == "REVOKED"


async def test_changed_settings_reach_the_agent_and_what_they_forbid_is_not_stored(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    process = telemetry_pb2.Process(pid=1, name="mysqld", command="mysqld --password=secret")
    at = now_ns()
    async with ingest.agent(enrolled) as agent:
        await agent.hello()
        ingest.auth.change_settings(enrolled, process_commands_enabled=False)
        settings = await agent.expect(ingest_pb2.Settings)
        await agent.send(batch(1, sample(at, processes=[process])))
        await agent.acked(1)
        ingest.auth.change_settings(enrolled, processes_enabled=False)
        await agent.expect(ingest_pb2.Settings)
        await agent.send(batch(2, sample(at + 1000, processes=[process])))
        await agent.acked(2)
    packed = await ingest.database.fetch(
        "select snapshot from telemetry.processes where server_id = $1", enrolled.server_id
    )

    assert not settings.server.process_commands_enabled
    assert [telemetry_pb2.ProcessSnapshot.FromString(row["snapshot"]).processes[0] for row in packed] == [
        telemetry_pb2.Process(pid=1, name="mysqld")
    ]


async def _arrived(ingest: IngestHouse, *, samples: int) -> None:
    async def received() -> float:
        return ingest.counted("samples_received")

    assert await eventually(received, lambda count: count >= samples, within_s=5, every_s=0.01) >= samples

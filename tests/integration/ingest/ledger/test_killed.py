"""kill -9 of ingest: the counts are those of what was committed, neither more nor less."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from deploy.local.embedded.database import OWNER
from flick.db.pool import Connection, connect
from flick.v1 import ingest_pb2
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import SECOND_NS, ScriptedAgent, batch, now_ns, sample, scripted_agent
from tests.integration.ingest.process import IngestProcess, ingest_process
from tests.tiny_auth import Enrolled, make_auth
from tests.waiting import eventually

SEED = 20_262
GOOD = 5  # samples of a frame that are stored; one more is of the future
CREDIT = 8
MOST_ACKS = 12  # before a kill
ACK_S = 0.05  # about as long as it takes from one to the next
FUTURE = ingest_pb2.REJECTION_REASON_FUTURE


class _House:
    """A database, and ingests over it, one after the other."""

    def __init__(self, *, postgres: DatabaseServer, database: str, redis_url: str, folder: Path) -> None:
        self._postgres = postgres
        self._database = database
        self._redis_url = redis_url
        self._folder = folder
        self._starts = 0
        self.auth = make_auth()
        self.enrolled = self.auth.enroll()

    @asynccontextmanager
    async def ingest(self) -> AsyncIterator[IngestProcess]:
        """An ingest that is killed on leaving."""
        self._starts += 1
        async with ingest_process(
            postgres=self._postgres,
            database=self._database,
            redis_url=self._redis_url,
            log=self._folder / f"ingest-{self._starts}.log",
            auth=self.auth,
        ) as process:
            yield process
            await kill(process)

    @asynccontextmanager
    async def agent(self, process: IngestProcess, *, next_seq: int = 1) -> AsyncIterator[ScriptedAgent]:
        """A stream of the one agent, that has said Hello."""

        async def let_in() -> bool:
            async with scripted_agent(process.address, key=self.enrolled.key) as agent:
                try:
                    await agent.hello()
                except grpc.aio.AioRpcError:
                    return False
                return True

        assert await eventually(let_in, bool, within_s=10, every_s=0.05)
        async with scripted_agent(process.address, key=self.enrolled.key) as agent:
            await agent.hello(live=next_seq)
            yield agent

    @asynccontextmanager
    async def reader(self, *, role: str = OWNER) -> AsyncIterator[Connection]:
        """A connection; only ingest's own role sees what ingest waits for."""
        connection = await connect(self._postgres.url(database=self._database, role=role), application_name="test")
        try:
            yield connection
        finally:
            await connection.close()


async def kill(process: IngestProcess) -> None:
    """SIGKILL."""
    if process.program.process.returncode is None:
        process.program.process.kill()
        await process.program.process.wait()


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: DatabaseServer, telemetry: str, redis_url: str, tmp_path: Path) -> _House:
    """Nothing runs yet."""
    return _House(postgres=postgres, database=telemetry, redis_url=redis_url, folder=tmp_path)


def _frame(seq: int, at: int) -> ingest_pb2.MetricBatch:
    good = [sample(at + seq * 1_000_000 + number * 1000, 0.5) for number in range(GOOD)]
    return batch(seq, *good, sample(at + 3600 * SECOND_NS + seq * 1000))


async def _counts(reader: Connection, enrolled: Enrolled) -> tuple[int, int, int]:
    """Committed, duplicate and rejected samples of the server."""
    row = await reader.fetchrow(
        "select (select count(*) from telemetry.metrics where server_id = $1) as committed,"
        " coalesce(sum(count) filter (where outcome = 'duplicate'), 0)::int as duplicate,"
        " coalesce(sum(count) filter (where outcome = 'rejected' and reason = $2), 0)::int as rejected"
        " from telemetry.deliveries where server_id = $1",
        *(enrolled.server_id, FUTURE),
    )
    assert row is not None
    return row["committed"], row["duplicate"], row["rejected"]


async def test_killed_before_the_commit_it_has_counted_nothing(house: _House) -> None:
    at = now_ns()
    async with house.reader() as reader, house.reader(role="flick_ingest") as same_role:
        async with house.ingest() as process, house.agent(process) as agent, reader.transaction():
            await reader.execute("lock table telemetry.deliveries in access exclusive mode")
            await agent.send(_frame(1, at))
            assert await eventually(lambda: _waiting(same_role), bool, within_s=10, every_s=0.02)
            await kill(process)
        before = await _counts(reader, house.enrolled)
        async with house.ingest() as process, house.agent(process) as agent:
            await agent.send(_frame(1, at))
            await agent.acked(1)
        after = await _counts(reader, house.enrolled)

    assert (before, after) == ((0, 0, 0), (GOOD, 0, 1))


async def test_killed_between_commit_and_ack_it_has_counted_once_and_the_replay_counts_again(house: _House) -> None:
    at = now_ns()
    async with house.reader() as reader:
        async with house.ingest() as process, house.agent(process) as agent:
            await agent.send(_frame(1, at))  # the ack may come, but nobody reads it
            first = await eventually(
                lambda: _counts(reader, house.enrolled), lambda found: found[0] > 0, within_s=10, every_s=0.02
            )
            await kill(process)
        async with house.ingest() as process, house.agent(process) as agent:
            await agent.send(_frame(1, at))
            await agent.acked(1)
        after = await _counts(reader, house.enrolled)

    assert (first, after) == ((GOOD, 0, 1), (GOOD, GOOD, 2))


@pytest.mark.timeout(900)  # the long form starts ingest twenty times
async def test_killed_at_random_moments_its_counts_are_those_of_whole_commits(house: _House, long_form: bool) -> None:
    rng, at, acked = random.Random(SEED), now_ns(), 0
    async with house.reader() as reader:
        for _ in range(20 if long_form else 3):
            async with house.ingest() as process, house.agent(process, next_seq=acked + 1) as agent:
                acked = await _deliver_and_kill(agent, process, at, acked, rng)
        async with house.ingest() as process, house.agent(process, next_seq=acked + 1) as agent:
            for seq in range(acked + 1, acked + CREDIT + 1):
                await agent.send(_frame(seq, at))
            await agent.acked(acked + CREDIT)
        committed, duplicate, rejected = await _counts(reader, house.enrolled)

    assert acked > 0
    assert committed == GOOD * (acked + CREDIT), "everything that was acked is stored, and nothing else was sent"
    assert committed + duplicate == GOOD * rejected, "a frame's samples and its rejection are counted together"


async def _deliver_and_kill(
    agent: ScriptedAgent, process: IngestProcess, at: int, acked: int, rng: random.Random
) -> int:
    """Send the frames behind `acked` until ingest is killed, some acks later; returns the last that was acked."""
    sent, left = acked, rng.randrange(MOST_ACKS)
    killing: asyncio.Task[None] | None = None
    try:
        while True:
            while sent < acked + CREDIT:
                sent += 1
                await agent.send(_frame(sent, at))
            if left <= 0 and killing is None:
                killing = asyncio.create_task(_kill_soon(process, rng.uniform(0, ACK_S)))
            ack = await agent.expect(ingest_pb2.Ack)
            acked, left = ack.seq, left - 1
    except (grpc.aio.AioRpcError, AssertionError, asyncio.InvalidStateError):
        assert killing is not None, "the stream broke before ingest was killed"
        await killing
        return acked


async def _kill_soon(process: IngestProcess, delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    await kill(process)


async def _waiting(reader: Connection) -> int:
    count = await reader.fetchval(
        "select count(*) from pg_stat_activity"
        " where wait_event_type = 'Lock' and application_name = 'flick-ingest' and datname = current_database()"
    )
    return int(count)

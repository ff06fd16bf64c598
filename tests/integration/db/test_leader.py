"""Of several processes one leads: the others take over when it ends, and never two work at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest

from flick.clock import SystemClock
from flick.db.leader import Leader
from flick.db.pool import Connection, connect
from flick.errors import FlickError
from flick.lifecycle import background
from tests.databases import DatabaseServer
from tests.waiting import until

Work = Callable[[Connection], Awaitable[None]]


class Candidate:
    """One that wants to lead. `terms`: how often it began to; `leads`: what it was told last."""

    def __init__(self, url: str, *, working: set["Candidate"]) -> None:
        self.terms = 0
        self.leads = False
        self.most_at_once = 0
        self.connection: Connection | None = None
        self._url = url
        self._working = working

    @asynccontextmanager
    async def running(self, work: Work | None = None) -> AsyncIterator["Candidate"]:
        leader = Leader(
            name="test",
            connect=partial(connect, self._url, application_name="leader"),
            told=self._told,
            clock=SystemClock(),
            ask_every_s=0.02,
        )
        async with background(leader.run(work or self._work), name="leader"):
            yield self

    def _told(self, leads: bool) -> None:
        self.leads = leads

    async def _work(self, connection: Connection) -> None:
        self.terms += 1
        self.connection = connection
        self._working.add(self)
        try:
            while True:
                self.most_at_once = max(self.most_at_once, len(self._working))
                await connection.fetchval("select pg_sleep(0.01)")
        finally:
            self._working.discard(self)


@pytest.fixture
def url(postgres: DatabaseServer, database: str) -> str:
    return postgres.url(database=database)


async def test_one_of_several_leads_and_another_takes_over_when_it_ends(url: str) -> None:
    working = set[Candidate]()
    candidates = [Candidate(url, working=working) for _ in range(3)]
    terms = []
    async with AsyncExitStack() as stack:
        running = {one: await stack.enter_async_context(AsyncExitStack()) for one in candidates}
        for one, own in running.items():
            await own.enter_async_context(one.running())
        for _ in range(3):
            await until(lambda: any(one.leads for one in running))
            (leader,) = [one for one in running if one.leads]
            terms.append(leader)
            await running.pop(leader).aclose()

    assert set(terms) == set(candidates)
    assert [one.most_at_once for one in candidates] == [1, 1, 1]
    assert not any(one.leads for one in candidates)


async def test_whose_connection_breaks_stops_working_and_may_lead_again(url: str) -> None:
    candidate = Candidate(url, working=set())
    async with candidate.running():
        for term in range(1, 4):
            await until(lambda term=term: candidate.terms == term and candidate.leads)  # type: ignore[misc]
            other = await connect(url, application_name="test")
            assert candidate.connection is not None
            await other.execute("select pg_terminate_backend($1)", candidate.connection.get_server_pid())
            await other.close()
        await until(lambda: candidate.terms == 4)

    assert candidate.most_at_once == 1


async def test_a_mistake_in_the_work_does_not_end_it(url: str) -> None:
    terms = 0

    async def work(_connection: Connection) -> None:
        nonlocal terms
        terms += 1
        raise KeyError("a mistake")

    async with Candidate(url, working=set()).running(work):
        await until(lambda: terms >= 3)


async def test_it_waits_for_a_database_that_is_away() -> None:
    asked = 0

    async def away() -> Connection:
        nonlocal asked
        asked += 1
        return await connect("postgresql://nobody@127.0.0.1:1/none", application_name="leader")

    leader = Leader(name="test", connect=away, told=lambda _: None, clock=SystemClock(), ask_every_s=0.02)
    async with background(leader.run(_never), name="leader"):
        await until(lambda: asked >= 3)

    with pytest.raises(FlickError):
        await away()


async def _never(_connection: Connection) -> None:
    await asyncio.Event().wait()

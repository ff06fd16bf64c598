"""Ledgers of several processes over one database."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

from flick.clock import SystemClock
from flick.db.pool import Connection, Pool, connect, open_pool
from flick.ids import new_id
from flick.v1 import ingest_pb2
from services.ingest.ledger.ledger import Ledger
from services.ingest.ledger.store import LedgerStore
from services.ingest.ledger.streams import Claim, Former, Stream
from tests.databases import DatabaseServer


@dataclass(frozen=True, kw_only=True)
class Ledgers:
    """A database and what a test does to it. `failures` grows with every write of a ledger that failed."""

    pool: Pool
    store: LedgerStore
    owner: Connection
    failures: list[int]

    def ledger(self) -> Ledger:
        """The ledger of one more process, which writes only when it is told."""
        return Ledger(store=self.store, clock=SystemClock(), on_failure=lambda: self.failures.append(1))

    def running(self) -> AbstractAsyncContextManager[Ledger]:
        """The same, writing by itself."""
        return self.ledger().running()

    async def waiting(self) -> int:
        """How many statements of ledgers wait for a lock."""
        count = await self.pool.fetchval(
            "select count(*) from pg_stat_activity"
            " where wait_event_type = 'Lock' and application_name = 'ledger' and datname = current_database()"
        )
        return int(count)

    async def stream(self, stream: Stream) -> dict[str, Any]:
        """What is stored of the stream's server."""
        row = await self.owner.fetchrow("select * from telemetry.streams where server_id = $1", stream.server_id)
        return dict(row or {})

    async def events(self, stream: Stream) -> list[dict[str, Any]]:
        """The server's events, the oldest first."""
        rows = await self.owner.fetch(
            "select * from telemetry.delivery_events where server_id = $1 order by time, kind, reason",
            stream.server_id,
        )
        return [dict(row) for row in rows]


@asynccontextmanager
async def _ledgers(postgres: DatabaseServer, database: str) -> AsyncIterator[Ledgers]:
    owner = await connect(postgres.url(database=database), application_name="test")
    try:
        async with open_pool(postgres.url(database=database, role="flick_ingest"), application_name="ledger") as pool:
            yield Ledgers(pool=pool, store=LedgerStore(pool=pool), owner=owner, failures=[])
    finally:
        await owner.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ledgers(postgres: DatabaseServer, shared_telemetry: str) -> AsyncIterator[Ledgers]:
    """Ledgers for all tests that make servers of their own."""
    async with _ledgers(postgres, shared_telemetry) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def own_ledgers(postgres: DatabaseServer, telemetry: str) -> AsyncIterator[Ledgers]:
    """Ledgers over a database of their own."""
    async with _ledgers(postgres, telemetry) as found:
        yield found


def opened(after: Stream | None = None, *, spool_id: str = "", clock_offset_s: float | None = 0.0) -> Stream:
    """A stream of a new server, or one more of the same."""
    return Stream(
        server_id=after.server_id if after else new_id(),
        organization_id=after.organization_id if after else new_id(),
        spool_id=spool_id or (after.spool_id if after else str(new_id())),
        agent_version="1.0.0",
        clock_offset_s=clock_offset_s,
    )


async def claim(
    ledger: Ledger, stream: Stream, *, spool: ingest_pb2.SpoolStatus | None = None, age_s: float = 0.0
) -> Former | None:
    """Claim one stream; the one that was its server's newest before."""
    said_hello_at_s = SystemClock().monotonic_s() - age_s
    return (await ledger.claim([Claim(stream=stream, spool=spool, said_hello_at_s=said_hello_at_s)])).get(
        stream.server_id
    )

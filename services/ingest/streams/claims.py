"""Claims the streams of this process in the ledger, and gives up those that other processes took over."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import islice
from typing import Protocol

import asyncpg

from flick.clock import Clock
from flick.errors import FlickError
from flick.lifecycle import background
from flick.v1 import ingest_pb2
from services.ingest.ledger.ledger import Ledger
from services.ingest.ledger.streams import Claim, Stream

_FAILURES = (FlickError, asyncpg.PostgresError, OSError, TimeoutError)

AT_ONCE = 500  # streams that one statement claims: some 30 ms of the database

logger = logging.getLogger(__name__)


class Claimed(Protocol):
    """A stream, as far as it matters who holds its server."""

    end_reason: str

    @property
    def stream(self) -> Stream:
        """What the ledger knows of it."""
        ...

    @property
    def began_at_s(self) -> float:
        """When it said Hello, in monotonic seconds."""
        ...

    @property
    def spool(self) -> ingest_pb2.SpoolStatus | None:
        """The spool's state as Hello told it."""
        ...

    def supersede(self, *, by_same_agent: bool) -> None:
        """Another stream of the same server has come."""
        ...


class Claims:
    """Claims streams, many at once, behind their Welcome: a database that is away delays no stream.

    Args:
        ledger: where they are claimed.
        every_s: how often other processes' claims are looked at, in one query for all streams.
        clock: as everywhere.
    """

    def __init__(self, *, ledger: Ledger, every_s: float, clock: Clock) -> None:
        self._ledger = ledger
        self._every_s = every_s
        self._clock = clock
        self._unclaimed: dict[uuid.UUID, Claimed] = {}  # both by the id of the server
        self._held: dict[uuid.UUID, Claimed] = {}
        self._changed = asyncio.Event()
        self._failing = False

    @contextmanager
    def claimed(self, session: Claimed) -> Iterator[None]:
        """Hold the server of a stream while entered; its end is told to the ledger."""
        stream = session.stream
        self._unclaimed[stream.server_id] = session
        self._changed.set()
        try:
            yield
        finally:
            for sessions in (self._unclaimed, self._held):
                if sessions.get(stream.server_id) is session:
                    del sessions[stream.server_id]
            self._ledger.release(stream, reason=session.end_reason)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Claims"]:
        """Claim and look while entered."""
        async with background(self._run(), name="claims"):
            yield self

    async def _run(self) -> None:
        while True:
            next_look_s = self._clock.monotonic_s() + self._every_s
            try:
                await self._claim()
                # A stream whose claim is still to come is the newer one, whatever the ledger says: only those that
                # are claimed can have been taken over. Nothing is claimed while the answer is under way.
                await self._look()
            except _FAILURES as error:
                if not self._failing:
                    logger.warning("streams can't be claimed now", extra={"why": getattr(error, "private", "")})
                self._failing = True
                await self._clock.sleep(self._every_s)
            else:
                self._failing = False
                await self._rest(next_look_s)

    async def _claim(self) -> None:
        sessions = dict(islice(self._unclaimed.items(), AT_ONCE))
        if not sessions:
            return
        await self._ledger.claim(
            [Claim(stream=one.stream, spool=one.spool, said_hello_at_s=one.began_at_s) for one in sessions.values()]
        )
        for server_id, session in sessions.items():
            if self._unclaimed.get(server_id) is session:  # else it ended, or a newer one came
                del self._unclaimed[server_id]
                self._held[server_id] = session

    async def _look(self) -> None:
        for holder in await self._ledger.taken_over() if self._held else ():
            session = self._held.pop(holder.server_id, None)
            if session is not None:
                session.supersede(by_same_agent=holder.spool_id == session.stream.spool_id)

    async def _rest(self, next_look_s: float) -> None:
        """Until it is time to look again, or a stream is to be claimed."""
        if self._unclaimed:
            return
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, next_look_s - self._clock.monotonic_s())):
                await self._changed.wait()

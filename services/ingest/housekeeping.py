"""What one process of ingest does for all of them: its duties, one after the other, again and again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from flick.clock import Clock
from flick.db.leader import Leader
from flick.db.pool import Connection
from flick.lifecycle import background

LOCK = "flick.telemetry.housekeeping"


class Duty(Protocol):
    """Work that is to be done by one process at a time."""

    async def work(self, connection: Connection) -> None:
        """Do what is due now, on this connection and no other. Raises when the connection is of no use any more."""
        ...


class Housekeeping:
    """Does the duties while this process leads.

    Args:
        leader: says when that is.
        duties: what is to be done, in this order.
        every_s: how long to wait between two rounds.
        clock: as everywhere.
    """

    def __init__(self, *, leader: Leader, duties: Sequence[Duty], every_s: float, clock: Clock) -> None:
        self._leader = leader
        self._duties = duties
        self._every_s = every_s
        self._clock = clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Housekeeping"]:
        """Lead, or wait for it, while entered. What is under way on leaving is rolled back."""
        async with background(self._leader.run(self._work), name="housekeeping"):
            yield self

    async def _work(self, connection: Connection) -> None:
        # Nobody waits for these commits, and one that a crash of the database loses is done again: each is whole or not
        # there, in their order.
        await connection.execute("set synchronous_commit = off")
        while True:
            for duty in self._duties:
                await duty.work(connection)
            await self._clock.sleep(self._every_s)

"""How a process takes leave: agents that come while it ends are sent on, until none comes any more.

gRPC's server, once told to stop, answers CANCELLED to every call that still reaches it and resets every connection
whose handshake is under way. So it is told only when those have come that were on their way when this process began to
leave.
"""

import random
from collections.abc import Collection

from flick.clock import Clock
from flick.v1 import ingest_pb2
from services.ingest.streams.times import StreamTimes


class Farewells:
    """Who was sent on, and whether still somebody comes.

    Args:
        times: how long to wait.
        rng: spreads the agents' returns.
        clock: as everywhere.
    """

    def __init__(self, *, times: StreamTimes, rng: random.Random, clock: Clock) -> None:
        self._times = times
        self._rng = rng
        self._clock = clock
        self._sent_on: set[str] = set()  # server ids
        self._came_at_s = float("-inf")
        self._until_s = float("inf")
        self.begun = False

    def came(self) -> None:
        """An agent has come."""
        self._came_at_s = self._clock.monotonic_s()

    def begin(self, here: Collection[str]) -> None:
        """This process leaves, and the agents of these servers are told so."""
        self.begun = True
        self._until_s = self._clock.monotonic_s() + self._times.linger_s
        self._sent_on |= set(here)
        if here:  # else there is nobody who could come back
            self.came()

    def drain(self, server_id: str) -> ingest_pb2.Drain:
        """What an agent is told that comes now.

        One that was sent on before and comes here again knows no other process: it is to wait until this one is gone.
        """
        wait_s = self._rng.uniform(0, self._times.reconnect_within_s)
        if server_id in self._sent_on:
            wait_s += max(0.0, self._until_s - self._clock.monotonic_s())
        self._sent_on.add(server_id)
        drain = ingest_pb2.Drain()
        drain.reconnect_after.FromNanoseconds(int(wait_s * 1e9))
        return drain

    async def over(self) -> None:
        """Wait until nobody has come for `quiet_s`, at most until `linger_s` after the beginning."""
        while (left_s := self._quiet_at_s - self._clock.monotonic_s()) > 0:
            await self._clock.sleep(left_s)

    @property
    def _quiet_at_s(self) -> float:
        return min(self._came_at_s + self._times.quiet_s, self._until_s)

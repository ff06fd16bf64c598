"""A clock whose hands the test turns: `sleep` ends when time has been advanced far enough."""

import asyncio
import heapq
import itertools


class HandClock:
    """Twin of `flick.clock.SystemClock`. `advance` moves all hands; `step_wall` only the wall clock's."""

    def __init__(self, *, wall_ns: int = 1_790_000_000_000_000_000, boottime_s: float = 5000.0) -> None:
        self._wall_ns = wall_ns
        self._passed_s = 0.0
        self._boot_s = boottime_s
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def time_unix_nano(self) -> int:
        return self._wall_ns + round(self._passed_s * 1e9)

    def monotonic_s(self) -> float:
        return self._passed_s

    def boottime_s(self) -> float:
        return self._boot_s + self._passed_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self._passed_s + seconds, next(self._order), future))
        await future

    def step_wall(self, by_s: float) -> None:
        self._wall_ns += round(by_s * 1e9)

    def pass_by(self, seconds: float) -> None:
        """Let time pass while nobody sleeps."""
        self._passed_s += seconds

    async def advance(self, by_s: float) -> None:
        """Let time pass, waking sleepers in order, each at its moment."""
        until_s = self._passed_s + by_s
        await settle()
        while self._waiting and self._waiting[0][0] <= until_s:
            moment_s, _, future = heapq.heappop(self._waiting)
            self._passed_s = max(self._passed_s, moment_s)
            if not future.done():
                future.set_result(None)
            await settle()
        self._passed_s = until_s
        await settle()


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)

"""Waiting for a condition, with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], *, within_s: float = 30.0, every_s: float = 0.3
) -> T:
    """Ask until the answer holds or the time is over; returns the last answer, for the test to assert on."""
    until_s = time.monotonic() + within_s
    while True:
        answer = await ask()
        if holds(answer) or time.monotonic() > until_s:
            return answer
        await asyncio.sleep(every_s)


async def until(condition: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait for something in this very process that tells nobody. Raises TimeoutError when the time is over."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)

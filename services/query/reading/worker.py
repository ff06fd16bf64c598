"""A thread for what takes processor time, so that the streams of viewers go on meanwhile."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

SHORT_US = 1000  # to wake a thread and wait for it takes some 200 µs, and longer on a busy machine
COLUMN_US = 10  # to unpack a column of a block
VALUE_US = 0.05  # to make a value one of an answer

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """Does one thing at a time.

    Several would not be done sooner, since Python runs one thread at a time, and each would have the event loop wait
    longer for its turn: measured with four range queries at once 3 to 5 ms in the median, with one 0.3 ms.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(1)

    async def run(self, work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """What `work` returns. It should take some 50 ms at most: others wait for it."""
        async with self._free:
            return await asyncio.to_thread(work, *arguments, **keywords)

    async def run_if_long(self, about_us: float, work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """The same of what takes so long, about; short work is done here and now."""
        if about_us <= SHORT_US:
            return work(*arguments, **keywords)
        return await self.run(work, *arguments, **keywords)


async def aside_if_long(about_us: float, work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """What `work` returns, which takes so long, about: done in a thread of its own, unless it is short."""
    if about_us <= SHORT_US:
        return work(*arguments, **keywords)
    return await asyncio.to_thread(work, *arguments, **keywords)

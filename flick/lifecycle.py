"""The life of a process and of the work beside its calls: each runs until it is asked to stop, and then has ended."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@asynccontextmanager
async def stop_requested() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set. The process then drains and ends by itself."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    try:
        yield event
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    """Run `work` as a task of this name while entered; on leaving it is cancelled, and has ended."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def die_with_parent(*, parent_pid: int, signal_number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process `signal_number` when its parent ends. Linux only; elsewhere nothing.

    Call it after privileges are dropped, which resets the wish. Ends the process at once if the parent is gone already.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal_number) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent_pid:
        os._exit(1)

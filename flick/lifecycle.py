"""The life of a process and of the work beside its calls: each runs until it is asked to stop, and then has ended."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SIGKILL = 9  # the signal module has no name for it on every system
_CANCEL_AGAIN_S = 0.2

logger = logging.getLogger(__name__)


@asynccontextmanager
async def stop_requested() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set. The process then drains and ends by itself."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    if sys.platform == "win32":  # whose event loops take no signals
        before = [signal.signal(number, lambda *_: loop.call_soon_threadsafe(event.set)) for number in numbers]
        try:
            yield event
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
        return
    for number in numbers:
        loop.add_signal_handler(number, event.set)
    try:
        yield event
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    """Run `work` as a task of this name while entered; on leaving it is cancelled, and has ended."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        await end(task)


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancel `task` until it has ended (before Python 3.12 `asyncio.wait_for` can lose that), and log its error."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_S)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("background work failed", exc_info=error, extra={"work": task.get_name()})


def die_with_parent(*, parent_pid: int, signal_number: int = _SIGKILL) -> None:
    """Have the kernel send this process `signal_number` when its parent ends. Linux only; elsewhere nothing.

    Call it after privileges are dropped, which resets the wish. Ends the process at once if the parent is gone already.
    """
    if sys.platform != "linux":
        return
    import ctypes  # 0.4 MB that the agent, which has no parent to follow, does without

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal_number) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent_pid:
        os._exit(1)


def raise_file_limit() -> None:
    """Let this process, and those that it starts, hold as many files and connections as the machine allows it.

    The limit that counts is low for the sake of programs that call select(), which nothing here does.
    """
    import resource  # not there on every system, and the agent imports this module

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

"""Calls to the backend that end when their client goes away."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from gateway.transcode.wire.asgi import ClientGoneError

Result = TypeVar("Result")


async def while_connected(
    work: Callable[[], Awaitable[Result]],
    *,
    gone: Callable[[], Coroutine[Any, Any, None]],
    cancel: Callable[[], object],
) -> Result:
    """Run `work`; when `gone` returns first, `cancel` the call and raise ClientGoneError.

    The call's own cancellation reaches `work` as CancelledError, as a cancellation of this very task does: the two are
    told apart by who asked, so that the second is never swallowed.
    """
    watch = asyncio.create_task(gone())
    watch.add_done_callback(lambda task: None if task.cancelled() or task.exception() else cancel())
    try:
        return await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if watch.done() and not watch.cancelled() and (task is None or not task.cancelling()):
            raise ClientGoneError from None
        raise
    finally:
        watch.cancel()

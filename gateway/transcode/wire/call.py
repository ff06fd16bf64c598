"""Calls to the backend that end when nobody needs them any more: the client has gone, or its request is broken."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.transcode.marshal.codecs import Codec
from gateway.transcode.options import Metadata
from gateway.transcode.wire.asgi import ClientGoneError

Result = TypeVar("Result")
Multicallable = Callable[..., Any]
"""What a channel gives for a method: called with a request (if there is one), `metadata` and `timeout` it calls."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request says of its call besides the message."""

    metadata: Metadata
    timeout_s: float | None
    codec: Codec
    """Who writes the answer."""


async def while_wanted(
    work: Callable[[], Awaitable[Result]],
    *,
    until: Callable[[], Coroutine[Any, Any, None]],
    cancel: Callable[[], object],
) -> Result:
    """Run `work`; when `until` ends first, `cancel` the call and raise what `until` raised, or ClientGoneError.

    The call's own cancellation reaches `work` as CancelledError, as a cancellation of this very task does: the two are
    told apart by who asked, so that the second is never swallowed.
    """
    watch = asyncio.create_task(until())
    watch.add_done_callback(lambda task: None if task.cancelled() else cancel())
    try:
        return await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if watch.done() and not watch.cancelled() and (task is None or not task.cancelling()):
            raise watch.exception() or ClientGoneError() from None
        raise
    finally:
        watch.cancel()
        if watch.done() and not watch.cancelled():
            watch.exception()  # seen, so that nobody complains of it

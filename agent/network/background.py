"""Calls that block, for example on a name server, beside the event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_background(call: Callable[[], T]) -> T:
    """What `call` returns or raises. A program that ends does not wait for it, as it would for asyncio.to_thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        def unless_given_up() -> None:
            if not future.done():
                outcome()

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(unless_given_up)

    def work() -> None:
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - handed to who waits
            failure = error
            settle(lambda: future.set_exception(failure))
        else:
            settle(lambda: future.set_result(result))

    threading.Thread(target=work, daemon=True, name="background").start()
    return await future

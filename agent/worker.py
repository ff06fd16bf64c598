"""A thread for what may hang: a file system whose disk is dying, a process whose memory can't be read."""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Call = tuple[Callable[[], Any], "Future[Any]"]
WITHIN_S = 0.5  # asking takes microseconds where nothing is wrong; so long, once, the agent does nothing else


class Worker:
    """Makes one call after the other. Its thread starts with the first, and never keeps the process from ending."""

    def __init__(self, *, within_s: float = WITHIN_S) -> None:
        self._within_s = within_s
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last: Future[Any] | None = None
        weakref.finalize(self, self._calls.put, None)

    def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises.

        Raises TimeoutError when that takes too long, and at once as long as an earlier call has not returned. What a
        late call returns is lost.
        """
        late = f"no answer within {self._within_s:g} s"
        if self._last is not None and not self._last.done():
            raise TimeoutError(late)
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._calls,), daemon=True, name="worker")
            self._thread.start()
        self._last = answer = Future[T]()
        self._calls.put((call, answer))
        try:
            return answer.result(timeout=self._within_s)
        except TimeoutError:
            raise TimeoutError(late) from None


def _work(calls: "SimpleQueue[_Call | None]") -> None:
    while (asked := calls.get()) is not None:
        call, answer = asked
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - handed to who waits
            answer.set_exception(error)
        del asked, call, answer  # or they would stay until the next call

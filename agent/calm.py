"""What is dear or slow to ask and changes slowly: asked now and then on a thread of its own."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_FIRST_WITHIN_S = 0.5  # once, at the start, so that the first sample has the series of those that follow


class Calm(Generic[T]):
    """Asks at a calm rhythm. Several who want to know share one. Only the first answer is waited for, and briefly.

    Args:
        ask: what to call; whatever it raises is raised to who wants to know, until a later call returns.
        every_s: at most how often.
        late_s: after so long without an answer it counts as failed. It is not asked again before it has answered.
        first_within_s: how long the first answer is waited for.
    """

    def __init__(
        self,
        *,
        ask: Callable[[], T],
        every_s: float,
        late_s: float = 20.0,
        first_within_s: float = _FIRST_WITHIN_S,
    ) -> None:
        self._ask = ask
        self._every_s = every_s
        self._late_s = late_s
        self._first_within_s = first_within_s
        self._asked_at_s: float | None = None
        self._thread: threading.Thread | None = None
        self._answer: T | None = None
        self._error: Exception | None = None

    def latest(self, now_s: float) -> T | None:
        """The last answer, the very same object until there is another; None before the first.

        `now_s`: monotonic seconds. Raises what the last call raised, and TimeoutError while a call takes too long.
        """
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
        if self._thread is None and (self._asked_at_s is None or now_s - self._asked_at_s >= self._every_s):
            first, self._asked_at_s = self._asked_at_s is None, now_s
            self._thread = threading.Thread(target=self._run, daemon=True, name="calm")
            self._thread.start()
            if first:
                self._thread.join(self._first_within_s)
        elif self._thread is not None and self._asked_at_s is not None and now_s - self._asked_at_s > self._late_s:
            raise TimeoutError(f"no answer within {self._late_s:g} s")
        if self._error is not None:
            raise self._error
        return self._answer

    def _run(self) -> None:
        try:
            self._answer, self._error = self._ask(), None
        except Exception as error:  # noqa: BLE001 - raised to who wants to know
            self._error = error

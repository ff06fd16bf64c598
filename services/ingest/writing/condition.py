"""Whether commits succeed, and if not, why: for programs one word, for people a sentence with the fix."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum

from flick.db.failures import DISK_FULL
from flick.errors import FlickError, Kind
from services.ingest.metrics import CommitMetrics
from services.ingest.store import NotDurableError

COMMITS = "commits"
"""The name by which gRPC's health service tells whether commits succeed; the process itself serves all the while."""

logger = logging.getLogger(__name__)


class Trouble(Enum):
    """Why commits fail. Values: the metric's label, and what to do about it."""

    DISK_FULL = ("database_disk_full", "Free space on the database's disk, or give it a larger one.")
    NOT_DURABLE = ("not_durable", "Set what `why` names in postgresql.conf and reload PostgreSQL.")
    SLOW = ("database_slow", "Look for a locked table (pg_locks) or a machine without time or memory.")
    AWAY = ("database_away", "Start PostgreSQL, and look into its log why it ended; see that this host reaches it.")
    OTHER = ("database_error", "Look into the log of PostgreSQL.")

    @property
    def label(self) -> str:
        """The word for programs."""
        return self.value[0]

    @property
    def fix(self) -> str:
        """The sentence for people."""
        return self.value[1]


def trouble_of(error: Exception) -> Trouble:
    """What an error of a commit means."""
    if isinstance(error, NotDurableError):
        return Trouble.NOT_DURABLE
    if isinstance(error, FlickError):
        if error.reason == DISK_FULL:
            return Trouble.DISK_FULL
        return Trouble.SLOW if error.kind is Kind.DEADLINE_EXCEEDED else Trouble.AWAY
    return Trouble.OTHER


class Condition:
    """What the last commits told. Good until the first fails; a trouble lasts until one succeeds.

    Args:
        metrics: shown every change.
    """

    def __init__(self, *, metrics: CommitMetrics) -> None:
        self._metrics = metrics
        self._changed = asyncio.Event()
        self.trouble: Trouble | None = None
        self.failures = 0
        self._unmet = ""  # which setting is not durable, as the log was told last

    def succeeded(self) -> None:
        """A commit is done."""
        self._metrics.durable.set(1)
        self.failures = 0
        if self.trouble is not None:
            logger.info("commits succeed again")
            self._set(None)

    def failed(self, error: Exception) -> Trouble:
        """A commit failed. Logged when it is the first, or fails for another reason than the one before.

        Of settings that are not durable each is a reason of its own: the next one shows once the first is mended.
        """
        trouble = trouble_of(error)
        self._metrics.failures.labels(trouble.label).inc()
        self.failures += 1
        if trouble is Trouble.NOT_DURABLE:
            self._metrics.durable.set(0)
        if trouble is Trouble.AWAY and self.trouble is Trouble.DISK_FULL:
            trouble = Trouble.DISK_FULL  # PostgreSQL ends when it can't write its log: the full disk is the reason
        why = getattr(error, "private", "") or str(error) or type(error).__name__
        unmet = why if trouble is Trouble.NOT_DURABLE else ""
        if trouble is not self.trouble or unmet != self._unmet:
            logger.error(
                "commits fail, agents send again", extra={"reason": trouble.label, "why": why, "fix": trouble.fix}
            )
            self._unmet = unmet
            self._set(trouble)
        return trouble

    async def tell(self, told: Callable[[bool], Awaitable[None]]) -> None:
        """Tell whether commits succeed, now and whenever that changes, until cancelled."""
        while True:
            self._changed.clear()
            await told(self.trouble is None)
            await self._changed.wait()

    def _set(self, trouble: Trouble | None) -> None:
        if self.trouble is not None:
            self._metrics.trouble.labels(self.trouble.label).set(0)
        if trouble is not None:
            self._metrics.trouble.labels(trouble.label).set(1)
        self.trouble = trouble
        self._changed.set()

"""Reads again and again what FLick's processes tell of themselves, so that there are rates whenever somebody asks."""

import asyncio
import http.client
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flick.clock import Clock
from flick.lifecycle import background
from services.query.stats.page import Page, Span
from services.query.stats.targets import Target, fetch

EVERY_S = 15.0  # as Prometheus does; a page costs its process some milliseconds
AT_FIRST_EVERY_S = 2.0  # so that there are rates soon after the start, of processes that start a little later as well
AT_FIRST = 10  # rounds, at most

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A process as it was seen last.

    Args:
        target: which one.
        page: what it told last; None: it never did.
        span: that and the page before; None: there was none, or the process does not answer.
        failure: why it does not answer; empty: it does.
    """

    target: Target
    page: Page | None = None
    span: Span | None = None
    failure: str = ""


class Overseer:
    """Knows how each of the processes does that it was told of.

    Args:
        targets: the processes.
        clock: tells how far pages are apart.
        every_s: how often each is read.
    """

    def __init__(self, *, targets: Sequence[Target], clock: Clock, every_s: float = EVERY_S) -> None:
        self._seen = {target: Seen(target=target, failure="was not asked yet") for target in targets}
        self._clock = clock
        self._every_s = every_s

    @property
    def seen(self) -> Sequence[Seen]:
        """Every process, in the order in which they were told."""
        return list(self._seen.values())

    def of(self, service: str) -> Sequence[Seen]:
        """The processes of a service."""
        return [one for one in self.seen if one.target.service == service]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Overseer"]:
        """Keep reading while entered."""
        async with background(self._run(), name="overseer"):
            yield self

    async def look(self) -> None:
        """Read every process once, all at the same time."""
        await asyncio.gather(*map(self._read, self._seen))

    async def _run(self) -> None:
        rounds = 0
        while True:
            await self.look()
            rounds += 1
            soon = rounds < AT_FIRST and any(one.span is None for one in self.seen)
            await self._clock.sleep(min(AT_FIRST_EVERY_S, self._every_s) if soon else self._every_s)

    def _fetch(self, target: Target) -> Page:
        at_s = self._clock.monotonic_s()
        return Page.read(fetch(target), at_s=at_s)

    async def _read(self, target: Target) -> None:
        before = self._seen[target]
        try:
            page = await asyncio.to_thread(self._fetch, target)  # to take a page apart is 5 ms of work
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            if not before.failure:
                logger.warning("a process does not answer", extra={"of": target.service, "why": why})
            self._seen[target] = Seen(target=target, page=before.page, failure=why)
            return
        span = None if before.page is None or before.failure else Span(before.page, page)
        self._seen[target] = Seen(target=target, page=page, span=span)

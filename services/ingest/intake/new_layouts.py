"""Layouts that are new, stored many in one statement: thousands of agents may arrive at once, each with one."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg

from flick.errors import FlickError, unavailable
from flick.lifecycle import background

AT_ONCE = 200  # in one statement; more of them cost each as much
BYTES_AT_ONCE = 4 * 1024 * 1024  # or so much: some 40 of the largest

LayoutKey: TypeAlias = tuple[uuid.UUID, bytes]
"""A layout's server and digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLayout:
    """A layout that is to be stored unless it is there."""

    server_id: uuid.UUID
    organization_id: uuid.UUID
    digest: bytes
    series: bytes

    @property
    def key(self) -> LayoutKey:
        """Tells it from any other."""
        return self.server_id, self.digest


StoreLayouts = Callable[[Sequence[NewLayout]], Awaitable[Mapping[LayoutKey, int]]]
"""Stores layouts of different servers, unless they are there; returns their ids.

Without those whose server has no room for another one today.
"""


@dataclass(slots=True)
class _Waiting:
    """A layout, and what becomes of it: its id, None for want of room, or why it can't be stored now."""

    layout: NewLayout
    outcome: asyncio.Future[int | FlickError | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class NewLayouts:
    """Stores the layouts of all streams, one statement after the other.

    Args:
        store: where they go.
    """

    def __init__(self, *, store: StoreLayouts) -> None:
        self._store = store
        self._waiting: dict[LayoutKey, _Waiting] = {}
        self._come = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["NewLayouts"]:
        """Store while entered."""
        async with background(self._run(), name="layouts"):
            yield self

    async def store(self, server_id: uuid.UUID, organization_id: uuid.UUID, digest: bytes, series: bytes) -> int | None:
        """See `StoreLayout`. Raises UNAVAILABLE when the database does not take it now."""
        layout = NewLayout(server_id=server_id, organization_id=organization_id, digest=digest, series=series)
        waiting = self._waiting.setdefault(layout.key, _Waiting(layout))
        self._come.set()
        outcome = await asyncio.shield(waiting.outcome)  # another stream may wait for the same
        if isinstance(outcome, FlickError):
            raise unavailable(outcome.public, private=outcome.private)
        return outcome

    async def _run(self) -> None:
        while True:
            await self._come.wait()
            some = self._some()
            if not some:
                self._come.clear()
                continue
            outcomes = await self._try([one.layout for one in some])
            for one in some:
                del self._waiting[one.layout.key]
                one.outcome.set_result(outcomes if isinstance(outcomes, FlickError) else outcomes.get(one.layout.key))

    def _some(self) -> list[_Waiting]:
        """What the next statement stores: of each server one, since each takes room from the next."""
        some: dict[uuid.UUID, _Waiting] = {}
        size_bytes = 0
        for one in self._waiting.values():
            if one.layout.server_id in some:
                continue
            size_bytes += len(one.layout.series)
            if some and (len(some) >= AT_ONCE or size_bytes > BYTES_AT_ONCE):
                break
            some[one.layout.server_id] = one
        return list(some.values())

    async def _try(self, layouts: Sequence[NewLayout]) -> Mapping[LayoutKey, int] | FlickError:
        try:
            return await self._store(layouts)
        except FlickError as error:
            return error
        except (asyncpg.PostgresError, OSError) as error:
            return unavailable("The layout can't be stored now.", private=str(error))

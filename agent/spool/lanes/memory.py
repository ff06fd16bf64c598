"""A spool in memory: what it holds is lost when the process ends."""

import uuid
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from agent.spool.frame import Lane
from agent.spool.lanes.laned import LanedSpool
from agent.spool.lanes.shelf import Head, Row
from agent.spool.lanes.state import State
from agent.spool.limits import IN_MEMORY, SpoolLimits
from flick.v1 import telemetry_pb2

_SET_ASIDE = 60  # samples


class MemoryShelf:
    """See `Shelf`."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._rows: dict[int, Row] = {}
        self._set_aside: deque[Row] = deque(maxlen=_SET_ASIDE)

    def writing(self) -> AbstractContextManager[None]:
        """See `Shelf`. Nothing here fails half way."""
        return nullcontext()

    def add(self, row: Row) -> None:
        """See `Shelf`."""
        self._ids.append(row.id)
        self._rows[row.id] = row

    def rows(self, first_id: int, last_id: int, *, newest_first: bool = False) -> Iterator[Row]:
        """See `Shelf`."""
        found = self._ids[self._between(first_id, last_id)]
        for row_id in reversed(found) if newest_first else found:
            yield self._rows[row_id]

    def heads(self, first_id: int) -> Iterator[Head]:
        """See `Shelf`."""
        for row_id in self._ids[bisect_left(self._ids, first_id) :]:
            yield _head(self._rows[row_id])

    def tally(self, first_id: int, last_id: int) -> tuple[int, int]:
        """See `Shelf`."""
        found = self._ids[self._between(first_id, last_id)]
        return len(found), sum(len(self._rows[row_id].payload) for row_id in found)

    def head(self, first_id: int, last_id: int) -> Head | None:
        """See `Shelf`."""
        place = bisect_left(self._ids, first_id)
        if place == len(self._ids) or self._ids[place] > last_id:
            return None
        return _head(self._rows[self._ids[place]])

    def remove(self, first_id: int, last_id: int) -> None:
        """See `Shelf`."""
        gone = self._between(first_id, last_id)
        for row_id in self._ids[gone]:
            del self._rows[row_id]
        del self._ids[gone]

    def set_aside(self, first_id: int, last_id: int, *, lane: Lane, seq: int) -> None:
        """See `Shelf`."""
        self._set_aside.extend(self.rows(first_id, last_id))

    def layouts(self) -> list[telemetry_pb2.Layout]:
        """See `Shelf`. The spool itself knows them."""
        return []

    def add_layout(self, layout: telemetry_pb2.Layout) -> None:
        """See `Shelf`."""

    def forget_layouts(self, kept: set[int]) -> None:
        """See `Shelf`."""

    def layouts_in_use(self) -> set[int]:
        """See `Shelf`."""
        return {row.layout_id for row in self._rows.values()}

    def save(self, state: State) -> None:
        """See `Shelf`. The spool itself knows it."""

    def close(self) -> None:
        """See `Shelf`."""

    def _between(self, first_id: int, last_id: int) -> slice:
        return slice(bisect_left(self._ids, first_id), bisect_right(self._ids, last_id))


class MemorySpool(LanedSpool):
    """See `Spool`."""

    def __init__(self, *, spool_id: uuid.UUID, limits: SpoolLimits = IN_MEMORY) -> None:
        super().__init__(shelf=MemoryShelf(), state=State(spool_id=str(spool_id)), limits=limits)


def _head(row: Row) -> Head:
    return Head(row.id, row.time_ns, len(row.payload))

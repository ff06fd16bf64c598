"""What a server measured while it had no stream, made when it is read: kept whole, a hundred days take gigabytes."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from agent.spool.epochs import Epoch, Epochs, Mark
from agent.spool.lanes.memory import MemoryShelf
from agent.spool.lanes.shelf import Head, Row
from agent.spool.lanes.state import State
from agent.spool.status import Counts
from flick.v1 import telemetry_pb2
from tests.bench.storage.day import INTERVAL_S, LAYOUT_ID, Host, layout

STEP_NS = INTERVAL_S * 10**9
_HOUR_SAMPLES = 3600 // INTERVAL_S


@dataclass(frozen=True, kw_only=True)
class Past:
    """`count` samples, one every 5 s, the last of them 5 s before `end_ns`; their contents come in turn."""

    end_ns: int
    count: int
    contents: Sequence[bytes]

    def row(self, row_id: int) -> Row:
        """The sample of that number; the first is 1."""
        time_ns = self.end_ns - (self.count + 1 - row_id) * STEP_NS
        return Row(row_id, time_ns, LAYOUT_ID, self.contents[row_id % len(self.contents)])

    def times_us(self) -> list[int]:
        """When the samples were measured, in microseconds since the Unix epoch, as they are stored."""
        return [self.row(row_id).time_ns // 1000 for row_id in range(1, self.count + 1)]

    def state(self, *, spool_id: str, mark: Mark) -> State:
        """That of the spool that holds all of it, under a clock that ingest had corrected."""
        epochs = Epochs()
        if self.count:
            first_ns, last_ns = self.row(1).time_ns, self.row(self.count).time_ns
            epochs = Epochs([Epoch(1, provisional=False, first_ns=first_ns, last_ns=last_ns)])
        return State(
            spool_id=spool_id, clean=True, last_id=self.count, counts=Counts(taken=self.count), mark=mark, epochs=epochs
        )


class PastShelf(MemoryShelf):
    """See `Shelf`: the past, and behind it what is put."""

    def __init__(self, past: Past) -> None:
        super().__init__()
        self._past = past
        self._left = range(1, past.count + 1)

    def rows(self, first_id: int, last_id: int, *, newest_first: bool = False) -> Iterator[Row]:
        """See `Shelf`."""
        old, new = self._among(first_id, last_id), super().rows(first_id, last_id, newest_first=newest_first)
        if newest_first:
            return chain(new, map(self._past.row, reversed(old)))
        return chain(map(self._past.row, old), new)

    def heads(self, first_id: int) -> Iterator[Head]:
        """See `Shelf`."""
        return chain(map(self._head, self._among(first_id, self._past.count)), super().heads(first_id))

    def tally(self, first_id: int, last_id: int) -> tuple[int, int]:
        """See `Shelf`."""
        old, (count, size) = self._among(first_id, last_id), super().tally(first_id, last_id)
        return len(old) + count, sum(self._head(row_id).size for row_id in old) + size

    def head(self, first_id: int, last_id: int) -> Head | None:
        """See `Shelf`."""
        old = self._among(first_id, last_id)
        return self._head(old[0]) if old else super().head(first_id, last_id)

    def remove(self, first_id: int, last_id: int) -> None:
        """See `Shelf`. Of the past the newest goes first, as the lane takes it."""
        gone = self._among(first_id, last_id)
        if gone:
            assert gone[-1] == self._left[-1], "a backlog is acked from its newest sample on"
            self._left = self._left[: -len(gone)]
        super().remove(first_id, last_id)

    def layouts(self) -> list[telemetry_pb2.Layout]:
        """See `Shelf`."""
        return [layout()]

    def layouts_in_use(self) -> set[int]:
        """See `Shelf`."""
        return {LAYOUT_ID}

    def _among(self, first_id: int, last_id: int) -> range:
        return range(max(first_id, self._left.start), min(last_id + 1, self._left.stop))

    def _head(self, row_id: int) -> Head:
        row = self._past.row(row_id)
        return Head(row.id, row.time_ns, len(row.payload))


def hour_of_contents(rng: random.Random) -> Sequence[bytes]:
    """An hour of a server as a spool keeps it: without time and layout."""
    contents = []
    for sample in Host(rng=rng, start_time_ns=0).samples(_HOUR_SAMPLES):
        sample.ClearField("time_unix_nano")
        sample.ClearField("layout_id")
        contents.append(sample.SerializeToString())
    return contents

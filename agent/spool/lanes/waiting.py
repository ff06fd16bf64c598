"""The samples that wait for a frame, and those that never get one."""

from collections.abc import Iterator

from agent.spool.frame import BACKFILL, LIVE, Lane, Loss, Reason
from agent.spool.lanes.census import take_census
from agent.spool.lanes.layouts import Layouts
from agent.spool.lanes.losses import INSTANT_NS
from agent.spool.lanes.shelf import Head, Row, Shelf
from agent.spool.lanes.state import State
from agent.spool.limits import SpoolLimits
from flick.v1 import ingest_pb2

_FULL = ingest_pb2.GAP_REASON_SPOOL_FULL
_CORRUPT = ingest_pb2.GAP_REASON_SPOOL_CORRUPT


class Waiting:
    """All rows of the shelf that no piece of the state holds. The newest wait for the live lane.

    `tally` says how many they are.
    """

    def __init__(self, *, shelf: Shelf, state: State, layouts: Layouts, limits: SpoolLimits) -> None:
        self._shelf = shelf
        self._state = state
        self._layouts = layouts
        self._limits = limits
        self.tally = take_census(shelf, state, losses=limits.losses)
        self._live_from = state.last_id + 1
        self._oldest: Head | None = None

    def has(self, lane: Lane) -> bool:
        """Whether some may wait for a lane."""
        live = self._state.last_id - self._live_from + 1
        return live > 0 if lane == LIVE else self.tally.count > live

    def enter(self, row: Row) -> None:
        """The newest."""
        self.tally.add(len(row.payload))
        self._live_from = max(self._live_from, row.id - self._limits.live_samples + 1)

    def leave(self, rows: list[Row]) -> None:
        """These, which follow each other, wait no more."""
        self.tally.remove(sum(len(row.payload) for row in rows), count=len(rows))
        if self._oldest is not None and rows[0].id <= self._oldest.id <= rows[-1].id:
            self._oldest = None

    def demote(self) -> None:
        """None waits for the live lane any more."""
        self._live_from = self._state.last_id + 1

    def take(self, lane: Lane) -> list[Row]:
        """The rows of the lane's next frame, in the order of time; what can't be read is lost on the way."""
        live = (self._live_from, self._state.last_id)
        for first_id, last_id in [live] if lane == LIVE else list(self._spans(self._live_from - 1)):
            rows, unreadable = self._read(first_id, last_id, newest_first=lane == BACKFILL)
            for row in sorted(unreadable, key=lambda row: row.id):
                self._give_up(Head(row.id, row.time_ns, len(row.payload)), _CORRUPT)
            if rows:
                rows.sort(key=lambda row: row.id)
                if lane == LIVE:
                    self._live_from = rows[-1].id + 1
                self.leave(rows)
                return rows
        if lane == LIVE:
            self._live_from = self._state.last_id + 1
        return []

    def _read(self, first_id: int, last_id: int, *, newest_first: bool) -> tuple[list[Row], list[Row]]:
        rows: list[Row] = []
        unreadable: list[Row] = []
        size = 0
        for row in self._shelf.rows(first_id, last_id, newest_first=newest_first):
            if not self.readable(row):
                unreadable.append(row)
                continue
            size += len(row.payload)
            if rows and size > self._limits.frame_bytes:
                break
            rows.append(row)
            if len(rows) == self._limits.frame_samples:
                break
        return rows, unreadable

    def readable(self, row: Row) -> bool:
        """Whether it is what was put down, and its layout is known."""
        return row.sound and (not row.layout_id or row.layout_id in self._layouts)

    def _spans(self, last_id: int) -> Iterator[tuple[int, int]]:
        """From where to where the numbers of waiting samples may be, up to `last_id`; the latest first."""
        for piece in sorted(self._state.pieces(), key=lambda piece: -piece.first_id):
            if piece.count and piece.first_id <= last_id:
                if piece.last_id < last_id:
                    yield piece.last_id + 1, last_id
                last_id = piece.first_id - 1
        if last_id >= 1:
            yield 1, last_id

    def time_of(self, head: Head) -> int:
        """Its time as it counts."""
        return head.time_ns + self._state.epochs.shift_of(head.id)

    def drop_what_is_too_much(self, newest: Row, *, by_age: bool) -> bool:
        """Make room, the oldest first; whether something had to go.

        `by_age` is False while new samples flow: what waits is then on its way, and an outage as long as the limit is
        delivered whole.
        """
        dropped = False
        while self.tally.count and (oldest := self._oldest_waiting()) is not None:
            # By a clock that is not corrected yet nothing is too old.
            age_ns = newest.time_ns - self.time_of(oldest)
            too_old = by_age and age_ns > self._limits.max_age_ns and not self._state.epochs.all[-1].provisional
            if not too_old and self.tally.size <= self._limits.max_bytes:
                break
            self._give_up(oldest, _FULL)
            dropped = True
        return dropped

    def _oldest_waiting(self) -> Head | None:
        if self._oldest is None:
            spans = list(self._spans(self._state.last_id))
            found = (self._shelf.head(first_id, last_id) for first_id, last_id in reversed(spans))
            self._oldest = next((head for head in found if head is not None), None)
        return self._oldest

    def _give_up(self, head: Head, reason: Reason) -> None:
        """A waiting sample becomes a loss."""
        counts = self._state.counts
        if reason == _FULL:
            counts.dropped += 1
        else:
            counts.corrupt += 1
        self.tally.remove(head.size)
        loss = self.loss(head, head, reason, dropped=1)
        self._shelf.remove(head.id, head.id)
        if self._oldest is not None and self._oldest.id == head.id:
            self._oldest = None
        self.tell(loss)

    def loss(self, first: Head, last: Head, reason: Reason, *, dropped: int) -> Loss:
        """From the first sample that is gone to the next that was taken; open when none was."""
        start_ns, last_ns = self.time_of(first), self.time_of(last)
        if reason == _CORRUPT:  # what its row says may be wrong as well
            start_ns = min(max(start_ns, 1), max(self._state.epochs.last_ns, 1))
            last_ns = min(max(last_ns, start_ns), max(self._state.epochs.last_ns, 1))
        following = self._shelf.head(last.id + 1, last.id + 1)
        if following is not None:
            end_ns, end_id = max(self.time_of(following), start_ns), following.id
        elif last.id == self._state.last_id:
            end_ns, end_id = 0, 0
        else:
            end_ns, end_id = last_ns + INSTANT_NS, last.id
        return Loss(start_ns, end_ns, reason, dropped, first.id, end_id)

    def tell(self, loss: Loss) -> None:
        """Have a gap told."""
        self._state.losses.add(loss, most=self._limits.losses)

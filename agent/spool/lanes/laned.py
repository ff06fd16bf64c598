"""The spool itself: what waits, what was handed out and what became of it, over any shelf."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from agent.collectors.collector import SeriesKey
from agent.spool.epochs import Mark
from agent.spool.frame import BACKFILL, LIVE, Entry, Frame, Lane, Loss, Reason
from agent.spool.lanes.awaited import Awaited
from agent.spool.lanes.handed_out import HandedOut
from agent.spool.lanes.layouts import Layouts, series_of
from agent.spool.lanes.losses import INSTANT_NS
from agent.spool.lanes.shelf import Row, Shelf
from agent.spool.lanes.state import Piece, State
from agent.spool.lanes.waiting import Waiting
from agent.spool.limits import SpoolLimits
from agent.spool.spool import UnknownSeqError
from agent.spool.status import Counts
from flick.v1 import ingest_pb2, servers_pb2, telemetry_pb2

_STEP_NS = 1_000_000  # a sample that would not come after the last one comes so long after it
_UNSAVED = 256  # samples since the state was saved; what a start must look through beyond the state


class LanedSpool:
    """See `Spool`.

    Args:
        shelf: where samples and state are put. Its errors are passed on; what was being done is then undone there.
        state: as it was last saved.
    """

    def __init__(self, *, shelf: Shelf, state: State, limits: SpoolLimits) -> None:
        self._shelf = shelf
        self._state = state
        self._layouts = Layouts(shelf.layouts())
        self._waiting = Waiting(shelf=shelf, state=state, layouts=self._layouts, limits=limits)
        self._handed_out = HandedOut(shelf=shelf, state=state, waiting=self._waiting)
        self._was_clean, state.clean = state.clean, False
        self._unsaved = 0
        self._awaited = Awaited()

    @property
    def spool_id(self) -> str:
        """See `Spool`."""
        return self._state.spool_id

    @property
    def mark(self) -> Mark | None:
        """See `Spool`."""
        return self._state.mark

    @property
    def last_ns(self) -> int:
        """See `Spool`."""
        return self._state.epochs.last_ns

    @property
    def settings(self) -> servers_pb2.ServerSettings | None:
        """See `Spool`."""
        kept = self._state.settings
        return servers_pb2.ServerSettings.FromString(bytes.fromhex(kept)) if kept else None

    def keep_settings(self, settings: servers_pb2.ServerSettings) -> None:
        """See `Spool`."""
        self._state.settings = settings.SerializeToString().hex()
        self._save()

    def begin(self, mark: Mark) -> None:
        """See `Spool`."""
        state, before = self._state, self._state.mark
        if before is None or (before.boot_id, before.corrected) != (mark.boot_id, mark.corrected):
            state.epochs.begin(state.last_id + 1, provisional=not mark.corrected)
        if before is not None and before.boot_id != mark.boot_id and not self._was_clean:
            # The system's end may have taken the last sequences back, and numbers that were used must name no others.
            state.spool_id = str(uuid.uuid4())
        state.mark = mark
        self._save()

    def settle(self, mark: Mark, *, moved_ns: int, now_ns: int) -> None:
        """See `Spool`."""
        state = self._state
        state.mark = mark
        self._awaited.forget()
        if any(epoch.provisional for epoch in state.epochs.all):
            state.losses.settle(
                state.epochs,
                lambda: state.epochs.settle(next_id=state.last_id + 1, moved_ns=moved_ns, now_ns=now_ns),
            )
        self._save()

    def put(self, entry: Entry) -> None:
        """See `Spool`."""
        state = self._state
        row = Row(state.last_id + 1, max(entry.time_ns, self.last_ns + _STEP_NS), entry.layout_id, entry.payload)
        with self._shelf.writing():
            if row.layout_id:
                self._shelf.add_layout(self._layouts[row.layout_id])
            self._shelf.add(row)
            state.last_id = row.id
            state.counts.taken += 1
            self._waiting.enter(row)
            self._unsaved += 1
            flowing = self._hand_out_at_once(row)
            worth_saving = [
                flowing,
                state.epochs.note(row.time_ns),
                state.losses.end(time_ns=row.time_ns, sample_id=row.id),
                self._waiting.drop_what_is_too_much(row, by_age=not flowing),
                self._unsaved >= _UNSAVED,
            ]
            if any(worth_saving):
                self._save()

    def lose(self, reason: Reason, *, start_ns: int | None = None) -> None:
        """See `Spool`."""
        state = self._state
        if state.losses.open:  # that one reaches to the next sample already
            return
        if start_ns is None:
            loss = Loss(self.last_ns + INSTANT_NS, 0, reason, start_id=state.last_id)
        else:  # told by the clock of now, which may be that of the last sample
            loss = Loss(start_ns, 0, reason, start_id=max(state.last_id, state.epochs.all[-1].first_id))
        self._waiting.tell(loss)
        self._save()

    def frame(self, lane: Lane, seq: int) -> Frame | None:
        """See `Spool`."""
        known, frame = self.at_hand(lane, seq)
        if known:
            return frame
        line = self._state.lines[lane]
        if seq != line.next:
            return self._again(lane, seq)
        if lane == BACKFILL and (loss := self._state.losses.next()) is not None:
            line.pieces.append(Piece(loss=loss))
            self._save()
            return Frame(lane, seq, loss=loss)
        with self._shelf.writing():
            rows = self._waiting.take(lane)
            if rows:
                line.pieces.append(_piece(rows))
            self._save()
        return Frame(lane, seq, tuple(map(self._entry, rows))) if rows else None

    def at_hand(self, lane: Lane, seq: int) -> tuple[bool, Frame | None]:
        """Whether `frame` would answer without asking the shelf, and its answer."""
        made = self._awaited.take(lane, seq)
        if made is not None:
            return True, made
        if self.has_frame(lane, seq):
            return False, None
        self._awaited.ask(lane)
        return True, None

    def has_frame(self, lane: Lane, seq: int) -> bool:
        """Whether there is such a frame, or something to make it of."""
        state = self._state
        if seq != state.lines[lane].next:
            return True
        told = lane == BACKFILL and state.losses.all and state.losses.all[0].end_ns
        return bool(told) or self._waiting.has(lane)

    def position(self, lane: Lane) -> int:
        """See `Spool`."""
        return self._state.lines[lane].first

    def ack(self, lane: Lane, seq: int) -> None:
        """See `Spool`."""
        self.require_handed_out(lane, seq)
        line = self._state.lines[lane]
        if seq < line.first:
            return
        with self._shelf.writing():
            self._handed_out.ack(line, seq)
            self._forget_epochs()
            self._save()

    def require_handed_out(self, lane: Lane, seq: int) -> None:
        """Raise UnknownSeqError when the lane never had this frame."""
        following = self._state.lines[lane].next
        if seq >= following:
            raise UnknownSeqError(f"frame {seq} was never sent; the last was {following - 1}")

    def refuse(self, lane: Lane, seq: int) -> None:
        """See `Spool`."""
        with self._shelf.writing():
            self._handed_out.refuse(lane, seq)
            self._save()

    def split(self, lane: Lane, seq: int) -> None:
        """See `Spool`."""
        with self._shelf.writing():
            self._handed_out.split(lane, seq)
            self._save()

    def demote(self) -> None:
        """See `Spool`."""
        self._awaited.forget()
        self._waiting.demote()

    def held(self) -> int:
        """See `Spool`."""
        return self._state.counts.held

    def status(self) -> ingest_pb2.SpoolStatus:
        """See `Spool`."""
        status = self._state.counts.status()
        status.held_bytes = self._waiting.tally.size + self._handed_out.size
        oldest = self._shelf.head(1, self._state.last_id) if status.held_samples else None
        if oldest is not None:
            status.oldest_time.FromNanoseconds(max(0, self._waiting.time_of(oldest)))
        return status

    def layout_id(self, series: tuple[SeriesKey, ...]) -> int:
        """See `Spool`."""
        if self._layouts.crowded:
            self._shelf.forget_layouts(self._layouts.keep_only(self._shelf.layouts_in_use()))
        return self._layouts.id_of(series)

    def layout(self, layout_id: int) -> telemetry_pb2.Layout:
        """See `Spool`."""
        return self._layouts[layout_id]

    def close(self) -> None:
        """See `Spool`."""
        self._state.clean = True
        self._save()
        self._shelf.close()

    def abandon(self) -> None:
        """Let go of the shelf as it is."""
        with suppress(sqlite3.Error):
            self._shelf.close()

    def as_one(self) -> AbstractContextManager[None]:
        """Everything done while entered is put down as one, or not at all."""
        return self._shelf.writing()

    @property
    def counts(self) -> Counts:
        """What became of samples."""
        return self._state.counts

    def everything(self) -> Iterator[Entry]:
        """Every sample that is held and can be read, in the order of time."""
        for row in self._shelf.rows(1, self._state.last_id):
            if self._waiting.readable(row):
                yield self._entry(row)

    def losses(self) -> list[Loss]:
        """Every gap that is not acked."""
        told = [replace(piece.loss) for piece in self._state.pieces() if piece.loss is not None]
        return told + [replace(loss) for loss in self._state.losses.all]

    def adopt(self, other: "LanedSpool") -> None:
        """Take over what another spool, whose samples are all later, took, holds and has to tell."""
        last_ns = self.last_ns
        # A call that was given up may have ended all the same: then what it put is here, and nothing before it is new.
        here = any(entry.time_ns == last_ns for entry in other.everything())
        with self._shelf.writing():
            for entry in other.everything():
                if here and entry.time_ns <= last_ns:
                    continue
                layout = other.layout(entry.layout_id) if entry.layout_id else None
                self.put(replace(entry, layout_id=self.number_of(layout)))
            for loss in other.losses():
                self._waiting.tell(replace(loss, start_id=self._state.last_id, end_id=self._state.last_id))
            self._state.counts.add_gone(other.counts)
            self._save()
        self.demote()

    def knows(self, series: tuple[SeriesKey, ...]) -> bool:
        """Whether this set of series has a number that stays."""
        return not series or self._layouts.knows(series)

    def number_of(self, layout: telemetry_pb2.Layout | None) -> int:
        """The number that a layout of another spool has here."""
        return self._layouts.id_of(series_of(layout)) if layout is not None else 0

    def _hand_out_at_once(self, newest: Row) -> bool:
        """Give the newest sample its place, if the live lane waits for it; whether it did."""
        if not self._awaited.waits:
            return False
        line = self._state.lines[LIVE]
        self._waiting.leave([newest])
        self._waiting.demote()
        self._awaited.make(line.next, self._entry(newest))
        line.pieces.append(_piece([newest]))
        return True

    def _again(self, lane: Lane, seq: int) -> Frame:
        piece = self._state.lines[lane].at(seq)
        count = piece.count
        with self._shelf.writing():
            rows = self._handed_out.read(piece)
            if piece.count != count:
                self._save()
        return Frame(lane, seq, tuple(map(self._entry, rows)), loss=piece.loss)

    def _entry(self, row: Row) -> Entry:
        return Entry(row.time_ns + self._state.epochs.shift_of(row.id), row.layout_id, row.payload)

    def _forget_epochs(self) -> None:
        if len(self._state.epochs.all) > 1:
            oldest = self._shelf.head(1, self._state.last_id)
            least = [loss.start_id for loss in self._state.losses.all]
            self._state.epochs.forget_before(min([*least, oldest.id if oldest else self._state.last_id]))

    def _save(self) -> None:
        self._shelf.save(self._state)
        self._unsaved = 0


def _piece(rows: list[Row]) -> Piece:
    return Piece(rows[0].id, rows[-1].id, len(rows), sum(len(row.payload) for row in rows))

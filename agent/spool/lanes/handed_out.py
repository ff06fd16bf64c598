"""The samples that stand in a frame until it is acked, and those that ingest or the shelf makes leave it before."""

from agent.spool.frame import BACKFILL, Lane
from agent.spool.lanes.losses import INSTANT_NS
from agent.spool.lanes.shelf import Head, Row, Shelf
from agent.spool.lanes.state import Line, Piece, State
from agent.spool.lanes.waiting import Waiting
from flick.v1 import ingest_pb2

_CORRUPT = ingest_pb2.GAP_REASON_SPOOL_CORRUPT
_REFUSED = ingest_pb2.GAP_REASON_REFUSED
_MAX_FAULTS = 3  # then a frame is set aside


class HandedOut:
    """All rows of the shelf that a piece of the state holds. Who calls it saves the state."""

    def __init__(self, *, shelf: Shelf, state: State, waiting: Waiting) -> None:
        self._shelf = shelf
        self._state = state
        self._waiting = waiting

    @property
    def size(self) -> int:
        """The bytes of all these samples."""
        return sum(piece.size for piece in self._state.pieces())

    def read(self, piece: Piece) -> list[Row]:
        """A frame's samples as they are there now; what can't be read any more is lost, perhaps all of it."""
        if piece.loss is not None:
            return []
        rows = self._rows(piece)
        sound = [row for row in rows if self._waiting.readable(row)]
        if len(sound) < piece.count:
            self._lose(piece, rows, sound)
        return sound

    def ack(self, line: Line, seq: int) -> None:
        """Forget a lane's frames up to `seq`."""
        while line.first <= seq:
            piece = line.pieces.pop(0)
            self._state.counts.acked += piece.count
            if piece.count:
                self._shelf.remove(piece.first_id, piece.last_id)
            line.first += 1

    def refuse(self, lane: Lane, seq: int) -> None:
        """Ingest can't take this frame; after the third time it is set aside. Raises UnknownSeqError."""
        piece = self._state.lines[lane].at(seq)
        if piece.loss is None:
            piece.faults += 1
            if piece.faults >= _MAX_FAULTS:
                self._set_aside(piece, lane, seq)

    def split(self, lane: Lane, seq: int) -> None:
        """This frame is too large: halve it, or set it aside if that was done before. Raises UnknownSeqError."""
        piece = self._state.lines[lane].at(seq)
        if piece.loss is None:
            if piece.part or piece.count == 1:
                self._set_aside(piece, lane, seq)
            else:
                self._halve(piece)

    def _rows(self, piece: Piece) -> list[Row]:
        return list(self._shelf.rows(piece.first_id, piece.last_id))

    def _lose(self, piece: Piece, rows: list[Row], sound: list[Row]) -> None:
        """Of a frame's `rows` only those that are `sound` can still be read; the others are lost."""
        kept = {row.id for row in sound}
        lost = [Head(row.id, row.time_ns, 0) for row in rows if row.id not in kept]
        missing = piece.count - len(sound)
        epochs = self._state.epochs
        around = lost or [Head(piece.first_id, epochs.last_ns - epochs.shift_of(piece.first_id), 0)]
        loss = self._waiting.loss(around[0], around[-1], _CORRUPT, dropped=missing)
        self._state.counts.corrupt += missing
        for head in lost:
            self._shelf.remove(head.id, head.id)
        if sound:
            piece.count, piece.size = len(sound), sum(len(row.payload) for row in sound)
            self._waiting.tell(loss)
        else:
            piece.become(loss)

    def _halve(self, piece: Piece) -> None:
        """Leave the first half in the frame; the second becomes the backlog's next one."""
        rows = [Head(row.id, row.time_ns, len(row.payload)) for row in self._rows(piece)]
        kept, rest = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        part = Piece(rest[0].id, rest[-1].id, len(rest), sum(head.size for head in rest), part=True)
        piece.last_id, piece.count, piece.size = kept[-1].id, len(kept), sum(head.size for head in kept)
        piece.part = True
        self._state.lines[BACKFILL].pieces.append(part)

    def _set_aside(self, piece: Piece, lane: Lane, seq: int) -> None:
        """Ingest will never take this frame: a loss stands in its place."""
        heads = [Head(row.id, row.time_ns, 0) for row in self._rows(piece)]
        first = heads[0] if heads else Head(piece.first_id, self._state.epochs.last_ns, 0)
        last = heads[-1] if heads else first
        loss = self._waiting.loss(first, last, _REFUSED, dropped=piece.count)
        loss.end_ns = loss.end_ns or self._waiting.time_of(last) + INSTANT_NS
        self._shelf.set_aside(piece.first_id, piece.last_id, lane=lane, seq=seq)
        self._shelf.remove(piece.first_id, piece.last_id)
        self._state.counts.refused += piece.count
        piece.become(loss)

"""What is really there when a spool is opened, against what its state says. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.spool.frame import Loss
from agent.spool.losses import INSTANT_NS
from agent.spool.shelf import Head
from agent.spool.state import Piece, State
from flick.v1 import ingest_pb2

_CORRUPT = ingest_pb2.GAP_REASON_SPOOL_CORRUPT


@dataclass(slots=True)
class Tally:
    """How many samples, and their bytes."""

    count: int = 0
    size: int = 0

    def add(self, size: int) -> None:
        """One more."""
        self.count += 1
        self.size += size

    def remove(self, size: int, *, count: int = 1) -> None:
        """So many less."""
        self.count -= count
        self.size -= size


def take_census(heads: Iterable[Head], state: State, *, losses: int) -> Tally:
    """What waits. The state is brought up to it: what was put since it was saved, and what has gone since.

    Args:
        heads: all rows, in the order of their numbers.
        losses: how many losses are kept apart.
    """
    waiting, in_pieces = Tally(), {id(piece): Tally() for piece in state.pieces()}
    pieces = sorted((piece for piece in state.pieces() if piece.count), key=lambda piece: -piece.first_id)
    hole = _Hole(state)
    for head in heads:
        while pieces and pieces[-1].last_id < head.id:
            hole.pass_by(pieces.pop())
        handed_out = pieces and pieces[-1].first_id <= head.id
        (in_pieces[id(pieces[-1])] if handed_out else waiting).add(head.size)
        if head.id > state.last_id:
            state.last_id = head.id
            state.counts.taken += 1
            state.epochs.note(head.time_ns)
        hole.see(head)
    for piece in state.pieces():
        _correct(piece, in_pieces[id(piece)], state)
    missing = state.counts.held - sum(piece.count for piece in state.pieces()) - waiting.count
    if missing > 0:
        state.counts.corrupt += missing
        state.losses.add(hole.loss(missing), most=losses)
    elif missing < 0:  # what had gone is there again: it is sent again
        state.counts.acked += missing
    return waiting


def _correct(piece: Piece, found: Tally, state: State) -> None:
    if piece.count == found.count:
        return
    state.counts.corrupt += piece.count - found.count
    piece.count, piece.size = found.count, found.size
    if not found.count:
        last_ns = state.epochs.last_ns
        piece.become(Loss(last_ns, last_ns + INSTANT_NS, _CORRUPT))


class _Hole:
    """From the first place to the last at which numbers are missing."""

    def __init__(self, state: State) -> None:
        self._epochs = state.epochs
        self._start: tuple[int, int] | None = None
        self._end: tuple[int, int] | None = None
        self._last: tuple[int, int] = (0, 0)

    def see(self, head: Head) -> None:
        time_ns = head.time_ns + self._epochs.shift_of(head.id)
        if self._last[1] and head.id > self._last[1] + 1:
            self._start = self._start or (self._last[0] + INSTANT_NS, self._last[1])
            self._end = (time_ns, head.id)
        self._last = (time_ns, head.id)

    def pass_by(self, piece: Piece) -> None:
        self._last = (self._last[0], max(self._last[1], piece.last_id))

    def loss(self, missing: int) -> Loss:
        """Without any such place, everything is missing from the first sample to the last."""
        oldest = next((epoch for epoch in self._epochs.all if epoch.first_ns), None)
        start = self._start or ((oldest.start_ns, oldest.first_id) if oldest else (INSTANT_NS, 0))
        end = self._end or (self._epochs.last_ns + INSTANT_NS, self._last[1])
        return Loss(start[0], max(start[0] + INSTANT_NS, end[0]), _CORRUPT, missing, start[1], end[1])

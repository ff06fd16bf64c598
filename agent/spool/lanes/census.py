"""What is really there when a spool is opened, against what its state says."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.spool.frame import Loss
from agent.spool.lanes.losses import INSTANT_NS
from agent.spool.lanes.shelf import Head, Shelf
from agent.spool.lanes.state import Piece, State
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


def take_census(shelf: Shelf, state: State, *, losses: int) -> Tally:
    """What waits. The state is brought up to it: what was put since it was saved, and what has gone since.

    `losses` is how many losses are kept apart.
    """
    for head in shelf.heads(state.last_id + 1):
        state.last_id = head.id
        state.counts.taken += 1
        state.epochs.note(head.time_ns)
    waiting = Tally(*shelf.tally(1, state.last_id))
    for piece in state.pieces():
        if piece.count:
            found = Tally(*shelf.tally(piece.first_id, piece.last_id))
            waiting.remove(found.size, count=found.count)
            _correct(piece, found, state)
    missing = state.counts.held - sum(piece.count for piece in state.pieces()) - waiting.count
    if missing > 0:
        state.counts.corrupt += missing
        state.losses.add(_hole(shelf.heads(1), state, missing), most=losses)
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


def _hole(heads: Iterable[Head], state: State, missing: int) -> Loss:
    """From the first place to the last at which numbers are missing; without such a place from the first sample on."""
    epochs = state.epochs
    oldest = next((epoch for epoch in epochs.all if epoch.first_ns), None)
    start = (oldest.start_ns, oldest.first_id) if oldest else (INSTANT_NS, 0)
    end = (epochs.last_ns + INSTANT_NS, state.last_id)
    handed_out = {sample_id for piece in state.pieces() for sample_id in (piece.first_id, piece.last_id)}
    before, found = (0, 0), False
    for head in heads:
        here = (head.time_ns + epochs.shift_of(head.id), head.id)
        if before[1] and head.id > before[1] + 1 and head.id not in handed_out and before[1] not in handed_out:
            start, end, found = (start if found else (before[0] + INSTANT_NS, before[1])), here, True
        before = here
    return Loss(start[0], max(start[0] + INSTANT_NS, end[0]), _CORRUPT, missing, start[1], end[1])

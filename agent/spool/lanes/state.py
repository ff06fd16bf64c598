"""Everything about a spool but its samples: small enough to be written whole with each change."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.spool.epochs import Epochs, Mark
from agent.spool.frame import BACKFILL, LIVE, Lane, Loss
from agent.spool.lanes.losses import Losses
from agent.spool.spool import UnknownSeqError
from agent.spool.status import Counts

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclass(slots=True)
class Piece:
    """A frame that was handed out: samples of these numbers, or a loss.

    Args:
        first_id, last_id: the numbers of its samples; no other held sample has a number between them.
        count, size: how many samples and bytes.
        faults: how often ingest could not take it.
        part: whether it is one of the halves of a frame that was too large.
    """

    first_id: int = 1
    last_id: int = 0
    count: int = 0
    size: int = 0
    faults: int = 0
    part: bool = False
    loss: Loss | None = None

    def become(self, loss: Loss) -> None:
        """Hold a loss from now on."""
        self.first_id, self.last_id, self.count, self.size, self.loss = 1, 0, 0, 0, loss


@dataclass(slots=True)
class Line:
    """A lane's pieces that are not acked; `first` is the seq of the first of them."""

    first: int = 1
    pieces: list[Piece] = field(default_factory=list)

    @property
    def next(self) -> int:
        """The seq of the next piece."""
        return self.first + len(self.pieces)

    def at(self, seq: int) -> Piece:
        """The piece there. Raises UnknownSeqError."""
        if not self.first <= seq < self.next:
            raise UnknownSeqError(f"frame {seq} is not among {self.first} to {self.next - 1}")
        return self.pieces[seq - self.first]


@dataclass(slots=True)
class State:
    """The state.

    Args:
        spool_id: names the sequences.
        clean: whether the spool was closed; otherwise the system's end may have taken the last changes back.
        last_id: the last sample's number.
        mark: how the clock was set.
        settings: the server's, serialized, in hexadecimal; empty before the first time.
    """

    spool_id: str
    clean: bool = False
    last_id: int = 0
    counts: Counts = field(default_factory=Counts)
    mark: Mark | None = None
    settings: str = ""
    epochs: Epochs = field(default_factory=Epochs)
    lines: dict[Lane, Line] = field(default_factory=lambda: {LIVE: Line(), BACKFILL: Line()})
    losses: Losses = field(default_factory=Losses)

    def pieces(self) -> Iterator[Piece]:
        """What was handed out, in both lanes."""
        for line in self.lines.values():
            yield from line.pieces

    def to_json(self) -> str:
        """For `from_json`."""
        return _encode(
            {
                "spool_id": self.spool_id,
                "clean": self.clean,
                "last_id": self.last_id,
                "counts": self.counts.as_json(),
                "mark": self.mark and [self.mark.boot_id, self.mark.offset_ns, self.mark.corrected],
                "settings": self.settings,
                "epochs": self.epochs.as_json(),
                "lines": [[lane, line.first, list(map(_piece, line.pieces))] for lane, line in self.lines.items()],
                "losses": [_loss(loss) for loss in self.losses.all],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "State":
        """What `to_json` gave."""
        document = json.loads(text)
        return cls(
            spool_id=document["spool_id"],
            clean=document["clean"],
            last_id=document["last_id"],
            counts=Counts(*document["counts"]),
            mark=document["mark"] and Mark(*document["mark"]),
            settings=document.get("settings", ""),  # which earlier versions did not keep
            epochs=Epochs.from_json(document["epochs"]),
            lines={
                lane: Line(first, [_piece_of(parts) for parts in pieces]) for lane, first, pieces in document["lines"]
            },
            losses=Losses([Loss(*parts) for parts in document["losses"]]),
        )


def _piece(piece: Piece) -> list[object]:
    loss = piece.loss and _loss(piece.loss)
    return [piece.first_id, piece.last_id, piece.count, piece.size, piece.faults, piece.part, loss]


def _loss(loss: Loss) -> list[int]:
    return [loss.start_ns, loss.end_ns, loss.reason, loss.dropped, loss.start_id, loss.end_id]


def _piece_of(parts: list[Any]) -> Piece:
    first_id, last_id, count, size, faults, part, loss = parts
    return Piece(first_id, last_id, count, size, faults, part, loss and Loss(*loss))

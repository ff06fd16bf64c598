"""How a spool stands, in the contract's words."""

from dataclasses import dataclass

from flick.v1 import ingest_pb2

_ADDED_UP = (
    "held_samples",
    "held_bytes",
    "taken_samples",
    "acked_samples",
    "dropped_samples",
    "refused_samples",
    "corrupt_samples",
)


@dataclass(slots=True)
class Counts:
    """What became of samples: taken = acked + dropped + refused + corrupt + those still held."""

    taken: int = 0
    acked: int = 0
    dropped: int = 0
    refused: int = 0
    corrupt: int = 0

    @property
    def held(self) -> int:
        """How many must be held."""
        return self.taken - self.acked - self.dropped - self.refused - self.corrupt

    def add_gone(self, other: "Counts") -> None:
        """Count what another spool took and holds no more."""
        self.taken += other.taken - other.held
        self.acked += other.acked
        self.dropped += other.dropped
        self.refused += other.refused
        self.corrupt += other.corrupt

    def as_json(self) -> list[int]:
        """The fields in their order."""
        return [self.taken, self.acked, self.dropped, self.refused, self.corrupt]

    def status(self) -> ingest_pb2.SpoolStatus:
        """As far as counts tell it."""
        return ingest_pb2.SpoolStatus(
            held_samples=self.held,
            taken_samples=self.taken,
            acked_samples=self.acked,
            dropped_samples=self.dropped,
            refused_samples=self.refused,
            corrupt_samples=self.corrupt,
        )


def together(older: ingest_pb2.SpoolStatus, newer: ingest_pb2.SpoolStatus, *, reason: str) -> ingest_pb2.SpoolStatus:
    """Two spools as one that is degraded for this reason."""
    both = ingest_pb2.SpoolStatus(degraded_reason=reason)
    for name in _ADDED_UP:
        setattr(both, name, getattr(older, name) + getattr(newer, name))
    oldest = older if older.HasField("oldest_time") else newer
    if oldest.HasField("oldest_time"):
        both.oldest_time.CopyFrom(oldest.oldest_time)
    return both

"""What was left out of a frame's samples, as its ack tells it."""

from dataclasses import dataclass, field

from flick.v1 import ingest_pb2

Kind = ingest_pb2.OverflowKind


@dataclass(frozen=True, slots=True)
class Overflow:
    """Parts of one sample that were left out: why, how many values or processes, and the limit with the fix."""

    kind: Kind.ValueType
    count: int
    detail: str


@dataclass(slots=True)
class Overflows:
    """How many parts of one frame's samples were left out for each reason, and the first in words."""

    counts: dict[Kind.ValueType, int] = field(default_factory=dict)
    details: dict[Kind.ValueType, str] = field(default_factory=dict)

    def add(self, overflow: Overflow, *, where: str) -> None:
        """Parts of the sample at `where` are left out."""
        self.counts[overflow.kind] = self.counts.get(overflow.kind, 0) + overflow.count
        self.details.setdefault(overflow.kind, f"{where}: {overflow.detail}")

    def to_messages(self, *, seq: int) -> list[ingest_pb2.Overflow]:
        """As the ack of frame `seq` tells it."""
        return [
            ingest_pb2.Overflow(seq=seq, kind=kind, count=count, detail=self.details[kind])
            for kind, count in self.counts.items()
        ]

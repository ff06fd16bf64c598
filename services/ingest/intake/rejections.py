"""What was refused of a frame, as its ack tells it."""

from dataclasses import dataclass, field

from flick.v1 import ingest_pb2

Reason = ingest_pb2.RejectionReason


@dataclass(slots=True)
class Rejections:
    """How many samples of one frame were refused for each reason, and the first in words."""

    counts: dict[Reason.ValueType, int] = field(default_factory=dict)
    details: dict[Reason.ValueType, str] = field(default_factory=dict)

    def add(self, reason: Reason.ValueType, detail: str, *, count: int = 1) -> None:
        """Refuse `count` samples."""
        self.counts[reason] = self.counts.get(reason, 0) + count
        self.details.setdefault(reason, detail)

    def to_messages(self, *, seq: int) -> list[ingest_pb2.Rejection]:
        """As the ack of frame `seq` tells it."""
        return [
            ingest_pb2.Rejection(seq=seq, reason=reason, count=count, detail=self.details[reason])
            for reason, count in self.counts.items()
        ]

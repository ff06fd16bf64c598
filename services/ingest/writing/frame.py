"""A frame on its way to PostgreSQL, and whoever wants to hear what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from services.ingest.intake.lanes import Place
from services.ingest.intake.overflows import Overflows
from services.ingest.intake.rejections import Rejections
from services.ingest.intake.samples import Row
from services.ingest.ledger.outcomes import Outcome, OutcomeKey, Outcomes
from services.ingest.store import GapRow


class Owner(Protocol):
    """The stream that a frame came by."""

    def wants(self, place: Place) -> bool:
        """Whether the frame is still to be stored."""
        ...

    def committed(self, place: Place, rejections: Rejections, overflows: Overflows) -> None:
        """The frame is committed, but for what `rejections` and `overflows` tell."""
        ...

    def returned(self, place: Place, *, delay_s: float) -> None:
        """The frame was not stored; the agent may send it again after `delay_s` seconds."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class Frame:
    """Samples or gaps of one frame.

    Attributes:
        owner, place: the stream that it came by, and where it stands.
        server_id, organization_id: whose it is.
        room_bytes: the room that it was admitted to.
        rows, gaps: what is to be stored.
        rejections: what was refused.
        overflows: what was left out of `rows`.
    """

    owner: Owner
    place: Place
    server_id: UUID
    organization_id: UUID
    room_bytes: int
    rows: Sequence[Row] = ()
    gaps: Sequence[GapRow] = ()
    rejections: Rejections = field(default_factory=Rejections)
    overflows: Overflows = field(default_factory=Overflows)

    @property
    def samples(self) -> int:
        """How many samples or log records came with it, refused ones included."""
        return len(self.rows) + sum(self.rejections.counts.values())

    def outcomes(self) -> Outcomes:
        """What became of samples beside being stored, as far as it is known before the commit."""
        outcomes = Outcomes()
        for reason, count in self.rejections.counts.items():
            outcomes[OutcomeKey(self.server_id, self.organization_id, Outcome.REJECTED, reason)] = count
        for kind, count in self.overflows.counts.items():
            outcomes[OutcomeKey(self.server_id, self.organization_id, Outcome.OVERFLOW, kind)] = count
        return outcomes

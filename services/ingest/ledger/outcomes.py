"""What became of samples that were not simply stored, counted per server. Pure."""

import uuid
from collections import Counter
from enum import StrEnum
from typing import NamedTuple, TypeAlias


class Outcome(StrEnum):
    """What can become of a sample beside being stored, as `telemetry.deliveries` names it."""

    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    OVERFLOW = "overflow"


class OutcomeKey(NamedTuple):
    """What is counted together.

    Attributes:
        server_id, organization_id: whose samples they are.
        outcome: what became of them.
        reason: of what is rejected a `RejectionReason`, of an overflow an `OverflowKind`; else 0.
    """

    server_id: uuid.UUID
    organization_id: uuid.UUID
    outcome: Outcome
    reason: int = 0


Outcomes: TypeAlias = Counter[OutcomeKey]
"""How many samples; of an overflow how many values or processes."""

"""What became of samples that were not simply stored, counted per server. Pure."""

import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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


def of_replay(
    owners: Sequence[tuple[uuid.UUID, uuid.UUID]], *, added: Mapping[uuid.UUID, int], conflicts: Collection[int]
) -> Outcomes:
    """What became of the samples of a commit in which some were stored already.

    Args:
        owners: server and organization of each sample.
        added: how many samples of each server are new.
        conflicts: positions of the samples that are stored with other content.
    """
    outcomes = Outcomes()
    conflicting = Counter(owners[position] for position in conflicts)
    for (server_id, organization_id), count in Counter(owners).items():
        conflict_count = conflicting[server_id, organization_id]
        duplicate_count = count - conflict_count - added.get(server_id, 0)
        outcomes[OutcomeKey(server_id, organization_id, Outcome.CONFLICT)] = conflict_count
        outcomes[OutcomeKey(server_id, organization_id, Outcome.DUPLICATE)] = max(0, duplicate_count)
    return +outcomes

"""Rows of which blocks hold something already: what is new in them, and what came again. Pure.

A row stays until its chunk goes, so most of them are the very ones that blocks were made of: samples that came at the
same microsecond. The same again is a duplicate; other content at the same moment is a conflict, and what came first
stays. As the writer has it, a sample in conflict adds no snapshot, and one that differs by its snapshot alone is in
conflict, too.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from services.ingest.arrays import Wholes
from services.ingest.ledger.outcomes import Outcome, OutcomeKey, Outcomes
from services.ingest.sealing.blocks import SamplesBlock, SnapshotsBlock
from services.ingest.sealing.rows import Rows, Samples, Snapshots


@dataclass(frozen=True, kw_only=True)
class Known:
    """The blocks of a server whose spans touch that of the rows."""

    samples: Sequence[SamplesBlock] = ()
    snapshots: Sequence[SnapshotsBlock] = ()

    def __bool__(self) -> bool:
        return bool(self.samples or self.snapshots)


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """What rows are, beside those of which the blocks were made.

    Attributes:
        new: of moments that no block holds.
        copies: moments of samples that came again, in microseconds.
        outcomes: what became of these.
    """

    new: Rows
    copies: Collection[int] = ()
    outcomes: Outcomes = field(default_factory=Outcomes)


def sort_out(rows: Rows, known: Known, *, server_id: uuid.UUID) -> Sorted:
    """What is new and what came again."""
    conflicts: dict[int, uuid.UUID] = {}
    duplicates: dict[int, uuid.UUID] = {}
    for samples in rows.samples:
        for block in known.samples:
            for row, at in _came_again(samples, block):
                same = block.layout_id == samples.layout_id and block.content(at) == samples.content(row)
                (duplicates if same else conflicts)[int(samples.times[row])] = samples.organization_id
    for snapshots in rows.snapshots if duplicates else ():
        packed = {
            moment: one
            for block in known.snapshots
            for moment, one in zip(block.moments.tolist(), block.packed, strict=True)
            if moment in duplicates
        }
        for moment, one in zip(snapshots.times.tolist(), snapshots.packed, strict=True):
            if moment in duplicates and packed.get(moment, one) != one:
                conflicts[moment] = duplicates.pop(moment)
    outcomes = Outcomes()
    for outcome, found in ((Outcome.DUPLICATE, duplicates), (Outcome.CONFLICT, conflicts)):
        for organization_id in found.values():
            outcomes[OutcomeKey(server_id, organization_id, outcome)] += 1
    stored = _moments(known.samples)
    taken = np.concatenate((_moments(known.snapshots), np.fromiter(conflicts, np.int64)))
    return Sorted(
        new=_without(rows, samples=stored, snapshots=taken),
        copies=duplicates.keys() | conflicts.keys(),
        outcomes=outcomes,
    )


def _came_again(samples: Samples, block: SamplesBlock) -> Iterable[tuple[int, int]]:
    """Which samples have the moment of one in a block but came at another time, and which one that is there."""
    at = np.minimum(np.searchsorted(block.moments, samples.times), len(block.moments) - 1)
    again = (block.moments[at] == samples.times) & (block.received[at] != samples.received)
    return zip(np.flatnonzero(again).tolist(), at[again].tolist(), strict=True)


def _moments(blocks: Sequence[SamplesBlock] | Sequence[SnapshotsBlock]) -> Wholes:
    return np.concatenate([np.empty(0, np.int64), *(one.moments for one in blocks)])


def _without(rows: Rows, *, samples: Wholes, snapshots: Wholes) -> Rows:
    """The rows but for those of some moments."""
    left = [one.only(np.flatnonzero(~np.isin(one.times, samples))) for one in rows.samples]
    taken = [_keep_snapshots(one, np.flatnonzero(~np.isin(one.times, snapshots))) for one in rows.snapshots]
    return Rows([one for one in left if len(one)], [one for one in taken if one.packed])


def _keep_snapshots(snapshots: Snapshots, kept: Wholes) -> Snapshots:
    return replace(snapshots, times=snapshots.times[kept], packed=[snapshots.packed[number] for number in kept])

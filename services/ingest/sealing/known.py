"""Rows of which blocks hold something already: what is new in them, and what came again. Pure.

A row stays until its chunk goes, so most of them are the very ones that blocks were made of: samples that came at the
same microsecond. The same again is a duplicate; other content at the same moment is a conflict, and what came first
stays. As the writer has it, a sample in conflict adds no snapshot, and one that differs by its snapshot alone is in
conflict, too.
"""

import uuid
from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

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
    stored = {moment: (block, row) for block in known.samples for row, moment in enumerate(block.moments)}
    packed = {moment: one for block in known.snapshots for moment, one in zip(block.moments, block.packed, strict=True)}
    conflicts: dict[int, uuid.UUID] = {}
    duplicates: dict[int, uuid.UUID] = {}
    for samples in rows.samples:
        for row, (moment, received) in enumerate(zip(samples.times, samples.received, strict=True)):
            block, at = stored.get(moment, (None, 0))
            if block is None or block.received[at] == received:
                continue
            same = block.layout_id == samples.layout_id and block.content(at) == samples.content(row)
            (duplicates if same else conflicts)[moment] = samples.organization_id
    for snapshots in rows.snapshots:
        for moment, one in zip(snapshots.times, snapshots.packed, strict=True):
            if moment in duplicates and packed.get(moment, one) != one:
                conflicts[moment] = duplicates.pop(moment)
    outcomes = Outcomes()
    for outcome, found in ((Outcome.DUPLICATE, duplicates), (Outcome.CONFLICT, conflicts)):
        for organization_id in found.values():
            outcomes[OutcomeKey(server_id, organization_id, outcome)] += 1
    new = _without(rows, samples=stored.keys(), snapshots=packed.keys() | conflicts.keys())
    return Sorted(new=new, copies=duplicates.keys() | conflicts.keys(), outcomes=outcomes)


def _without(rows: Rows, *, samples: Collection[int], snapshots: Collection[int]) -> Rows:
    """The rows but for those of some moments."""
    left = [_keep_samples(one, lambda moment: moment not in samples) for one in rows.samples]
    taken = [_keep_snapshots(one, lambda moment: moment not in snapshots) for one in rows.snapshots]
    return Rows([one for one in left if len(one)], [one for one in taken if one.packed])


def _keep_samples(samples: Samples, is_new: Callable[[int], bool]) -> Samples:
    return samples.only([row for row, moment in enumerate(samples.times) if is_new(moment)])


def _keep_snapshots(snapshots: Snapshots, is_new: Callable[[int], bool]) -> Snapshots:
    kept = [number for number, moment in enumerate(snapshots.times) if is_new(moment)]
    return replace(
        snapshots,
        times=array("q", [snapshots.times[number] for number in kept]),
        packed=[snapshots.packed[number] for number in kept],
    )

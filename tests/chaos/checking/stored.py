"""What is stored of one server, sample by sample; the only place of the checker that knows how: rows and sealed hours.

Both are read by SQL and `flick.columns` alone, so that a mistake of query would not hide one of ingest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flick.blobs import unpack_blobs
from flick.columns import pack, unpack
from flick.db.pool import Connection, Row
from services.ingest.intake.samples import CORE_COUNT
from tests.chaos.load.samples import checksum
from tests.packed import read_core, read_labelled

_METRICS = """
    select (extract(epoch from time) * 1000000)::bigint as at, core, labelled, digest
    from telemetry.metrics left join telemetry.layouts using (layout_id)
    where metrics.server_id = $1
"""
_PROCESSES = """
    select (extract(epoch from time) * 1000000)::bigint as at, snapshot from telemetry.processes where server_id = $1
"""
_SEALED_METRICS = """
    select times, core, labelled, digest
    from telemetry.sealed_metrics left join telemetry.layouts using (layout_id)
    where sealed_metrics.server_id = $1
"""
_SEALED_PROCESSES = "select times, snapshots from telemetry.sealed_processes where server_id = $1"

_EMPTY = pack("f", [])

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored:
    """The checksum of every stored sample by its time in microseconds, and how many are there twice.

    Twice is a time that has two rows, or that is in sealed hours twice, or that has a row and is in a sealed hour with
    other content. A row of a sealed hour that has the same content came twice; ingest has not counted it yet, and will.
    A snapshot of processes without its sample counts as a sample of its own.
    """

    checksums: dict[int, int]
    duplicated: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """A sample without its processes."""

    core: Sequence[float | None]
    labelled: Sequence[float | None]
    layout_digest: bytes

    def checksum(self, processes: bytes) -> int:
        """Of the whole sample."""
        return checksum(core=self.core, layout_digest=self.layout_digest, labelled=self.labelled, processes=processes)

    def __eq__(self, other: object) -> bool:
        """Also where both have no value, which as numbers are never equal."""
        return isinstance(other, Numbers) and self.checksum(b"") == other.checksum(b"")

    def __hash__(self) -> int:
        return self.checksum(b"")


async def read_stored(database: Connection, server_id: str) -> Stored:
    """Everything that is stored of a server, as it is at one moment."""
    async with database.transaction(isolation="repeatable_read", readonly=True):
        metrics = await database.fetch(_METRICS, server_id)
        sealed_metrics = await database.fetch(_SEALED_METRICS, server_id)
        processes = await database.fetch(_PROCESSES, server_id)
        sealed_processes = await database.fetch(_SEALED_PROCESSES, server_id)
    return join(
        rows=[(row["at"], _numbers(row)) for row in metrics],
        sealed=[one for row in sealed_metrics for one in _unsealed(row)],
        snapshot_rows=[(row["at"], row["snapshot"]) for row in processes],
        sealed_snapshots=[
            one for row in sealed_processes for one in zip(_times(row), unpack_blobs(row["snapshots"]), strict=True)
        ],
    )


async def read_times_us(database: Connection, server_id: str) -> list[int]:
    """When the stored samples of a server were measured, in order; one that is there twice comes once."""
    return sorted((await read_stored(database, server_id)).checksums)


def join(
    *,
    rows: Iterable[tuple[int, Numbers]],
    sealed: Iterable[tuple[int, Numbers]],
    snapshot_rows: Iterable[tuple[int, bytes]],
    sealed_snapshots: Iterable[tuple[int, bytes]],
) -> Stored:
    """What is stored, of pairs of a time and what was measured then."""
    numbers, doubled = _merged(rows, sealed)
    snapshots, doubled_snapshots = _merged(snapshot_rows, sealed_snapshots)
    checksums = {at: one.checksum(snapshots.get(at, b"")) for at, one in numbers.items()}
    return Stored(checksums | dict.fromkeys(snapshots.keys() - checksums.keys(), 0), doubled + doubled_snapshots)


def _merged(rows: Iterable[tuple[int, T]], sealed: Iterable[tuple[int, T]]) -> tuple[Mapping[int, T], int]:
    """What is there by its time, and how much of it twice."""
    in_hours, doubled = _by_time(sealed)
    in_rows, doubled_rows = _by_time(rows)
    differing = sum(in_hours[at] != in_rows[at] for at in in_hours.keys() & in_rows.keys())
    return {**in_rows, **in_hours}, doubled + doubled_rows + differing


def _by_time(found: Iterable[tuple[int, T]]) -> tuple[dict[int, T], int]:
    listed = list(found)
    by_time = dict(listed)
    return by_time, len(listed) - len(by_time)


def _numbers(row: Row) -> Numbers:
    core, labelled = read_core(row["core"], count=CORE_COUNT), read_labelled(row["labelled"])
    return Numbers(core, labelled or (), row["digest"] or b"")


def _unsealed(row: Row) -> Iterable[tuple[int, Numbers]]:
    core, labelled = unpack(row["core"]), unpack(row["labelled"] or _EMPTY)
    unknown = [None] * (CORE_COUNT - len(core))  # metrics that none of the block's samples has
    for place, at in enumerate(_times(row)):
        values = [*(column[place] for column in core), *unknown]
        yield at, Numbers(values, [column[place] for column in labelled], row["digest"] or b"")


def _times(row: Row) -> Sequence[int]:
    (column,) = unpack(row["times"])
    return column

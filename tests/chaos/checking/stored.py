"""What the tables hold of one server, sample by sample; the only place of the checker that knows how it is stored."""

from dataclasses import dataclass

from flick.db.pool import Connection
from services.ingest.intake.samples import CORE_COLUMNS
from tests.chaos.load.samples import checksum

_METRICS = f"""
    select (extract(epoch from time) * 1000000)::bigint as at, {", ".join(CORE_COLUMNS)}, labelled, digest
    from telemetry.metrics left join telemetry.layouts using (layout_id)
    where metrics.server_id = $1
"""  # noqa: S608 - column names of the contract
_PROCESSES = """
    select (extract(epoch from time) * 1000000)::bigint as at, snapshot from telemetry.processes where server_id = $1
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """The checksum of every stored sample by its time in microseconds, and how many rows are there twice.

    A snapshot of processes without its sample counts as a sample of its own.
    """

    checksums: dict[int, int]
    duplicated: int


async def read_stored(database: Connection, server_id: str) -> Stored:
    """Everything that is stored of a server."""
    found = await database.fetch(_PROCESSES, server_id)
    snapshots = {row["at"]: row["snapshot"] for row in found}
    doubled = len(found) - len(snapshots)
    rows = await database.fetch(_METRICS, server_id)
    checksums = {
        row["at"]: checksum(
            core=row[1 : 1 + len(CORE_COLUMNS)],
            layout_digest=row["digest"] or b"",
            labelled=row["labelled"] or (),
            processes=snapshots.get(row["at"], b""),
        )
        for row in rows
    }
    doubled += len(rows) - len(checksums)
    return Stored(checksums | dict.fromkeys(snapshots.keys() - checksums.keys(), 0), doubled)

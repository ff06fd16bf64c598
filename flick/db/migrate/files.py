"""A folder of migrations, and what of it is still to be applied. Pure but for reading the files."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"(?P<number>[0-9]{4})_(?P<phase>pre|post)_[a-z0-9_]+\.sql")


class MigrationError(Exception):
    """The schema can't be brought up to date. The text says why and how to mend it."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One file. `number` orders them; `checksum` is the SHA-256 of its text in hex."""

    number: int
    name: str
    statements: str
    checksum: str


def read_folder(directory: Path) -> Sequence[Migration]:
    """The folder's migrations in order.

    They are named `0001_pre_create_servers.sql`: a number without a hole, a phase (`pre` adds and runs before the new
    programs start, `post` removes and runs after the old ones have stopped), and what it does.

    Raises MigrationError naming the file that breaks this.
    """
    if not directory.is_dir():
        raise MigrationError(f"{directory} is not a folder. Name the migrations of a service.")
    found = [_read(path) for path in sorted(directory.glob("*.sql"))]
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationError(
                f"{directory / migration.name} should be number {expected:04}: no hole, no number twice."
            )
    return found


def choose_pending(migrations: Sequence[Migration], *, applied: Mapping[int, str]) -> Sequence[Migration]:
    """The migrations that are still to be applied.

    Args:
        migrations: of the folder, in order.
        applied: the checksums that the database remembers, by number.

    Raises MigrationError when an applied file was changed, or the database is ahead of the folder.
    """
    for migration in migrations:
        checksum = applied.get(migration.number)
        if checksum is not None and checksum != migration.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it was applied. Put it back, and write the change as a new file."
            )
    ahead = sorted(set(applied) - {migration.number for migration in migrations})
    if ahead:
        raise MigrationError(
            f"The database has migration {ahead[-1]:04}, this version of FLick ends at {len(migrations):04}. "
            "Install the version that applied it, or a newer one."
        )
    return [migration for migration in migrations if migration.number not in applied]


def _read(path: Path) -> Migration:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise MigrationError(f"{path} is no name for a migration. Write for example 0001_pre_create_servers.sql.")
    text = path.read_text(encoding="utf-8")
    return Migration(
        number=int(match["number"]),
        name=path.name,
        statements=text,
        checksum=hashlib.sha256(text.encode()).hexdigest(),
    )

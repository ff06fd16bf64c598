"""Brings a schema up to date: `python -m flick.db.migrate --schema auth --directory services/auth/migrations`.

Files are named NUMBER_PHASE_VERB.sql: `pre` adds what the next version needs, `post` removes what no version needs.
Each runs once, in a transaction of its own, and is remembered with its checksum; one that changed since is an error.
"""

import argparse
import asyncio
import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from flick.config import ConfigError, load, setting

_FILE = re.compile(r"^(?P<number>\d{4})_(pre|post)_[a-z0-9_]+\.sql$")
_LOCK = 0x464C69636B  # any number of our own: one migration of a database at a time


class MigrationError(Exception):
    """A migration can't be run. The text names the file and the fix."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where to migrate."""

    database_url: str = setting("FLICK_MIGRATE_DATABASE_URL")


@dataclass(frozen=True)
class Migration:
    """One file."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(directory: Path) -> list[Migration]:
    """The files in the order of their numbers. Raises MigrationError on a wrong name or a number used twice."""
    names = sorted(path.name for path in directory.glob("*.sql"))
    if not names:
        raise MigrationError(f"{directory} holds no migration.")
    for name in names:
        if not _FILE.match(name):
            raise MigrationError(f"{name} is not named like 0001_pre_create_servers.sql.")
    numbers = [name[:4] for name in names]
    if len(set(numbers)) != len(numbers):
        raise MigrationError(f"{directory}: two migrations have the same number.")
    return [Migration(name, (directory / name).read_text(encoding="utf-8")) for name in names]


async def migrate(*, url: str, schema: str, migrations: list[Migration]) -> list[str]:
    """Run what has not run yet; returns the names of what ran. Raises MigrationError naming the file that failed."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(f'create schema if not exists "{schema}"')
        await connection.execute(
            f'create table if not exists "{schema}".migrations '
            "(name text primary key, checksum text not null, run_time timestamptz not null default now())"
        )
        rows = await connection.fetch(f'select name, checksum from "{schema}".migrations')  # noqa: S608 - checked name
        done = {row["name"]: row["checksum"] for row in rows}
        _refuse_changed(migrations, done)
        pending = [migration for migration in migrations if migration.name not in done]
        for migration in pending:
            await _run(connection, schema, migration)
        return [migration.name for migration in pending]
    finally:
        await connection.close()


def _refuse_changed(migrations: list[Migration], done: Mapping[str, str]) -> None:
    for migration in migrations:
        if done.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(f"{migration.name} was changed after it ran. Restore it and write a new migration.")


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", schema: str, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                f'insert into "{schema}".migrations (name, checksum) values ($1, $2)',  # noqa: S608 - checked name
                migration.name,
                migration.checksum,
            )
    except asyncpg.UndefinedObjectError as error:
        raise MigrationError(f"{migration.name}: {error}. Create the role or extension first.") from error
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name}: {error}") from error


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flick.db.migrate", description="Bring a schema up to date.")
    parser.add_argument("--schema", required=True, help="the schema, for example auth")
    parser.add_argument("--directory", required=True, type=Path, help="the folder of its migrations")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[a-z_]+", arguments.schema):
        parser.error(f"--schema: {arguments.schema!r} is no schema's name; use small letters.")
    try:
        config = load(Config, environ=os.environ)
        migrations = read_migrations(arguments.directory)
        ran = asyncio.run(migrate(url=config.database_url, schema=arguments.schema, migrations=migrations))
    except (ConfigError, MigrationError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"FLICK_MIGRATE_DATABASE_URL: the database can't be reached: {error}\n")
        return 1
    sys.stdout.write(f"{arguments.schema}: {len(ran)} of {len(migrations)} migrations ran\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

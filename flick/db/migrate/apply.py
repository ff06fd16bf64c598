"""Brings a schema up to date, one transaction per migration; of several callers at once one works and the rest wait."""

import logging
import re
from collections.abc import Sequence

import asyncpg

from flick.db.migrate.files import Migration, MigrationError, choose_pending
from flick.db.pool import Connection

LOCK_TIMEOUT_S = 60  # a migration that waits longer for a table would hold up whatever queues behind it

logger = logging.getLogger(__name__)


async def migrate(connection: Connection, *, schema: str, migrations: Sequence[Migration]) -> Sequence[str]:
    """Apply what is missing of `migrations` to `schema`, as the owner that `connection` is. Returns their names.

    Creates the schema and its table `migrations`, where each applied file is remembered with its checksum.

    Raises MigrationError when history was changed, a role is missing, or a migration fails; what was applied before
    the failing one stays.
    """
    if not re.fullmatch(r"[a-z_]+", schema):
        raise MigrationError(f"{schema!r} is no name for a schema. Write lower-case letters.")
    await connection.execute("select pg_advisory_lock(hashtextextended($1, 0))", f"flick.migrate.{schema}")
    try:
        await _prepare(connection, schema)
        applied = await connection.fetch(f"select number, checksum from {schema}.migrations")  # noqa: S608 - checked above
        pending = choose_pending(migrations, applied={row["number"]: row["checksum"] for row in applied})
        for migration in pending:
            await _apply(connection, schema, migration)
        return [migration.name for migration in pending]
    finally:
        await connection.execute("select pg_advisory_unlock(hashtextextended($1, 0))", f"flick.migrate.{schema}")


async def _prepare(connection: Connection, schema: str) -> None:
    if await connection.fetchval("select to_regclass($1)", f"{schema}.migrations") is not None:
        return
    async with connection.transaction():
        await connection.execute(f"create schema if not exists {schema}")
        await connection.execute(
            f"""
            create table {schema}.migrations (
                number integer primary key,
                name text not null,
                checksum text not null,
                apply_time timestamptz not null default now()
            )
            """
        )


async def _apply(connection: Connection, schema: str, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_S}s'")
            await connection.execute(migration.statements)
            await connection.execute(
                f"insert into {schema}.migrations (number, name, checksum) values ($1, $2, $3)",  # noqa: S608 - checked
                migration.number,
                migration.name,
                migration.checksum,
            )
    except asyncpg.UndefinedObjectError as error:
        raise MigrationError(f"{migration.name}: {error}. {_hint(error)}".strip()) from error
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name}: {error}. Nothing of it was applied.") from error
    logger.info("migration applied", extra={"schema": schema, "migration": migration.name})


def _hint(error: asyncpg.PostgresError) -> str:
    if str(error).startswith("role "):
        return "Create the roles first, as `flick up` does: flick_auth, flick_ingest, flick_query."
    return "Nothing of it was applied."

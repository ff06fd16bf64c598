"""`python -m flick.db.migrate --schema auth --directory services/auth/migrations`: for launchers and operators."""

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from flick import log
from flick.config import ConfigError, load, setting
from flick.db.migrate.apply import migrate
from flick.db.migrate.files import MigrationError, read_folder
from flick.db.pool import connect
from flick.errors import FlickError


@dataclass(frozen=True, kw_only=True)
class MigrateConfig:
    """What a migration is told.

    Attributes:
        database_url: PostgreSQL as the owner of the schemas.
        log_level: the least severe log records that are written.
    """

    database_url: str = setting("FLICK_MIGRATE_DATABASE_URL")
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")


def main() -> int:
    """Bring one schema up to date; the exit code is 1 when that failed."""
    parser = argparse.ArgumentParser(prog="python -m flick.db.migrate", description="Bring a schema up to date.")
    parser.add_argument("--schema", required=True, help="the schema, for example auth")
    parser.add_argument(
        "--directory", required=True, type=Path, help="its migrations, for example services/auth/migrations"
    )
    arguments = parser.parse_args()
    try:
        config = load(MigrateConfig, environ=os.environ)
        log.configure(service="migrate", level=config.log_level)
        applied = asyncio.run(_migrate(config, arguments.schema, arguments.directory))
    except (ConfigError, MigrationError) as error:
        return _fail(str(error))
    except FlickError as error:
        return _fail(f"{error.public} {error.private}")
    except asyncpg.PostgresError as error:
        return _fail(f"the database refuses: {error}")
    print(f"{arguments.schema}: {len(applied)} applied" if applied else f"{arguments.schema}: up to date")  # noqa: T201 - its answer
    return 0


async def _migrate(config: MigrateConfig, schema: str, directory: Path) -> list[str]:
    migrations = read_folder(directory)
    connection = await connect(config.database_url, application_name="flick-migrate", statement_timeout_s=None)
    try:
        return list(await migrate(connection, schema=schema, migrations=migrations))
    finally:
        await connection.close()


def _fail(why: str) -> int:
    print(f"migrate: {why}", file=sys.stderr)  # noqa: T201 - for whoever runs it
    return 1


if __name__ == "__main__":
    sys.exit(main())

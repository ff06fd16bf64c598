"""What becomes of the settings of servers that were there before settings were inherited."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import asyncpg

from flick.ids import new_id
from tests.databases import DatabaseServer
from tests.integration.auth.conftest import MIGRATIONS

LAST_BEFORE = 5
COLUMNS = ("metric_interval_s", "retention_days", "processes_enabled", "process_commands_enabled")


async def migrate(url: str, directory: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flick.db.migrate", "--schema", "auth", "--directory", str(directory)),
        env={**os.environ, "FLICK_MIGRATE_DATABASE_URL": url},
    )
    assert await process.wait() == 0


async def test_what_was_the_default_is_inherited_and_what_was_chosen_stays(
    postgres: DatabaseServer, tmp_path: Path
) -> None:
    for file in MIGRATIONS.glob("*.sql"):
        if int(file.name[:4]) <= LAST_BEFORE:
            shutil.copy(file, tmp_path)
    organization_id, chosen, usual = new_id(), new_id(), new_id()
    async with postgres.database() as database:
        url = postgres.url(database=database)
        await migrate(url, tmp_path)
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("insert into auth.organizations values ($1, 'x', now())", organization_id)
            for server_id in (chosen, usual):
                await connection.execute(
                    "insert into auth.servers values ($1, $2, 'x', 'x', '', '', '', '', false, now())",
                    server_id,
                    organization_id,
                )
                await connection.execute(
                    "insert into auth.server_settings (server_id, organization_id) values ($1, $2)",
                    server_id,
                    organization_id,
                )
            await connection.execute(
                "update auth.server_settings set retention_days = 7, processes_enabled = false where server_id = $1",
                chosen,
            )
            await migrate(url, MIGRATIONS)

            rows = await connection.fetch(
                f"select server_id, {', '.join(COLUMNS)} from auth.server_settings"  # noqa: S608 - of nothing else
            )
            kept = {row["server_id"]: tuple(row[column] for column in COLUMNS) for row in rows}
        finally:
            await connection.close()

    assert kept == {chosen: (None, 7, False, None), usual: (None, None, None, None)}

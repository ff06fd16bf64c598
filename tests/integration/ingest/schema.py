"""A database with the schema `telemetry`, made once per test run."""

from pathlib import Path

from flick.db.migrate.apply import migrate
from flick.db.migrate.files import read_folder
from flick.db.pool import connect
from tests.databases import DatabaseServer

MIGRATIONS = Path(__file__).parents[3] / "services/ingest/migrations"


async def telemetry_template(postgres: DatabaseServer) -> str:
    """The name of the template."""
    return await postgres.template("flick_test_telemetry", _migrate)


async def _migrate(url: str) -> None:
    connection = await connect(url, application_name="test", statement_timeout_s=None)
    try:
        await migrate(connection, schema="telemetry", migrations=read_folder(MIGRATIONS))
    finally:
        await connection.close()

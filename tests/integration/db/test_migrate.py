"""Migrations against a real PostgreSQL."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import pytest

from flick.db.migrate.apply import migrate
from flick.db.migrate.files import MigrationError, read_folder
from flick.db.pool import Connection, connect
from tests.databases import DatabaseServer


async def _owner(postgres: DatabaseServer, database: str) -> Connection:
    return await connect(postgres.url(database=database), application_name="test", statement_timeout_s=None)


def _write(folder: Path, **statements: str) -> Path:
    for name, text in statements.items():
        (folder / f"{name.removeprefix('_')}.sql").write_text(text)
    return folder


async def test_applying_twice_changes_nothing(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    migrations = read_folder(_write(tmp_path, _0001_pre_create_a="create table probe.a (id int);"))
    connection = await _owner(postgres, database)

    first = await migrate(connection, schema="probe", migrations=migrations)
    second = await migrate(connection, schema="probe", migrations=migrations)
    await connection.close()

    assert (list(first), list(second)) == (["0001_pre_create_a.sql"], [])


async def test_several_at_once_apply_each_file_once(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    migrations = read_folder(_write(tmp_path, _0001_pre_create_a="create table probe.a (id int);"))
    connections = [await _owner(postgres, database) for _ in range(4)]

    applied = await asyncio.gather(*(migrate(one, schema="probe", migrations=migrations) for one in connections))
    await asyncio.gather(*(one.close() for one in connections))

    assert sorted(map(len, applied)) == [0, 0, 0, 1]


async def test_a_failing_file_leaves_nothing_of_itself(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    folder = _write(
        tmp_path,
        _0001_pre_create_a="create table probe.a (id int);",
        _0002_pre_create_b="create table probe.b (id int); select nonsense;",
    )
    connection = await _owner(postgres, database)

    with pytest.raises(MigrationError, match=r"0002_pre_create_b\.sql: .*nonsense.*Nothing of it was applied"):
        await migrate(connection, schema="probe", migrations=read_folder(folder))
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'probe' order by 1")
    await connection.close()

    assert [row["tablename"] for row in tables] == ["a", "migrations"]


async def test_a_missing_role_is_named_with_the_remedy(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    folder = _write(tmp_path, _0001_pre_grant="grant usage on schema probe to flick_nobody;")
    connection = await _owner(postgres, database)

    with pytest.raises(MigrationError, match=r'role "flick_nobody" does not exist.*Create the roles first'):
        await migrate(connection, schema="probe", migrations=read_folder(folder))
    await connection.close()


async def _run(url: str, directory: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flick.db.migrate", "--schema", "probe", "--directory", str(directory)),
        env={**os.environ, "FLICK_MIGRATE_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_the_command_says_what_it_did(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    folder = _write(tmp_path, _0001_pre_create_a="create table probe.a (id int);")
    url = postgres.url(database=database)

    first, second = await _run(url, folder), await _run(url, folder)

    assert (first[0], "probe: 1 applied" in first[1], second) == (0, True, (0, "probe: up to date\n"))


async def test_the_command_fails_with_the_reason(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    folder = _write(tmp_path, _0001_pre_wrong="select nonsense;")

    code, output = await _run(postgres.url(database=database), folder)

    assert (code, "0001_pre_wrong.sql" in output, "Traceback" in output) == (1, True, False)


async def test_without_a_database_the_command_says_so(tmp_path: Path) -> None:
    code, output = await _run("postgresql://nobody@127.0.0.1:1/none", tmp_path)

    assert (code, "The database does not answer now." in output, "Traceback" in output) == (1, True, False)


async def test_a_service_role_can_not_migrate(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    connection = await connect(postgres.url(database=database, role="flick_query"), application_name="test")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await migrate(connection, schema="probe", migrations=read_folder(tmp_path))
    await connection.close()

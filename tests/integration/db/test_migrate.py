import asyncio
from pathlib import Path

import asyncpg
import pytest

from flick.db.migrate import MigrationError, migrate, read_migrations
from flick.db.pool import database_fault, open_pool
from flick.errors import FlickError, Kind
from tests.databases import DatabaseServer


def write(folder: Path, **files: str) -> Path:
    for name, sql in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(sql)
    return folder


async def test_what_has_run_does_not_run_again(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    write(tmp_path, m0001_pre_create_a="create table x.a (n int); insert into x.a values (1);")
    url = postgres.url(database=database)
    first = await migrate(url=url, schema="x", migrations=read_migrations(tmp_path))
    write(tmp_path, m0002_pre_create_b="insert into x.a values (2);")
    second = await migrate(url=url, schema="x", migrations=read_migrations(tmp_path))
    third = await migrate(url=url, schema="x", migrations=read_migrations(tmp_path))

    assert (first, second, third) == (["0001_pre_create_a.sql"], ["0002_pre_create_b.sql"], [])


async def test_a_failed_migration_leaves_nothing_and_is_named(
    postgres: DatabaseServer, database: str, tmp_path: Path
) -> None:
    write(tmp_path, m0001_pre_create_a="create table x.a (n int); select 1 / 0;")
    with pytest.raises(MigrationError, match=r"0001_pre_create_a\.sql: division by zero"):
        await migrate(url=postgres.url(database=database), schema="x", migrations=read_migrations(tmp_path))
    connection = await asyncpg.connect(postgres.url(database=database))
    left = await connection.fetchval("select to_regclass('x.a')")
    await connection.close()

    assert left is None


async def test_a_file_that_changed_after_it_ran_is_refused(
    postgres: DatabaseServer, database: str, tmp_path: Path
) -> None:
    url = postgres.url(database=database)
    write(tmp_path, m0001_pre_create_a="create table x.a (n int);")
    await migrate(url=url, schema="x", migrations=read_migrations(tmp_path))
    write(tmp_path, m0001_pre_create_a="create table x.a (n bigint);")

    with pytest.raises(MigrationError, match=r"0001_pre_create_a\.sql was changed"):
        await migrate(url=url, schema="x", migrations=read_migrations(tmp_path))


async def test_two_at_once_run_each_migration_once(postgres: DatabaseServer, database: str, tmp_path: Path) -> None:
    write(tmp_path, m0001_pre_create_a="create table x.a (n int);")
    url = postgres.url(database=database)
    ran = await asyncio.gather(*(migrate(url=url, schema="x", migrations=read_migrations(tmp_path)) for _ in range(3)))

    assert sorted(len(names) for names in ran) == [0, 0, 1]


@pytest.mark.parametrize("name", ["1_pre_a", "0001_a", "0001_mid_a"])
def test_a_wrong_name_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, **{f"m{name}": "select 1"})

    with pytest.raises(MigrationError, match=rf"{name}\.sql is not named like"):
        read_migrations(tmp_path)


async def test_a_statement_that_takes_too_long_is_ended_by_postgresql(postgres: DatabaseServer, database: str) -> None:
    url = postgres.url(database=database)
    async with open_pool(url, application_name="test", statement_timeout_s=0.2) as pool:
        with pytest.raises(asyncpg.QueryCanceledError) as ended:
            await pool.execute("select pg_sleep(10)")

    fault = database_fault(ended.value)
    assert fault is not None
    assert fault.kind is Kind.UNAVAILABLE


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(FlickError) as refusal:
        async with open_pool("postgresql://u:p@127.0.0.1:1/x", application_name="test", statement_timeout_s=1):
            raise AssertionError("it connected")

    assert refusal.value.kind is Kind.UNAVAILABLE

"""What the database itself refuses to auth, and that every statement fits the tables."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from flick.db.pool import Connection
from flick.db.queries import load_queries
from flick.ids import new_id
from services.auth.store import QUERIES
from tests.databases import DatabaseServer
from tests.integration.auth.house import AuthHouse


@pytest_asyncio.fixture(loop_scope="session")
async def service(house: AuthHouse) -> AsyncIterator[Connection]:
    """A connection as auth's own role."""
    connection = await asyncpg.connect(house.config.database_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "create table auth.extra (x int)",
        "create table public.extra (x int)",
        "create schema extra",
        "drop table auth.users",
        "alter table auth.users add column x int",
        "alter table auth.agent_keys disable trigger all",
        "truncate auth.sessions",
        "drop trigger note_change on auth.memberships",
        "create or replace function auth.note_access_change() returns trigger language plpgsql as 'begin end'",
        "update auth.access_revision set revision = 0",
        "delete from auth.access_revision",
        "insert into auth.access_changes (revision) values (99)",
        "update auth.access_changes set key_id = null",
        "delete from auth.users",
        "delete from auth.organizations",
        "delete from auth.servers",
        "delete from auth.agent_keys",
        "insert into auth.migrations values (99, 'x', 'x', now())",
        "set role flick_owner",
    ],
)
async def test_the_service_may_not(service: Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)


@pytest.mark.parametrize("role", ["flick_ingest", "flick_query"])
async def test_no_other_service_sees_the_tables(house: AuthHouse, postgres: DatabaseServer, role: str) -> None:
    database = urlsplit(house.owner_url).path.removeprefix("/")
    connection = await asyncpg.connect(postgres.url(database=database, role=role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("select email from auth.users")
    finally:
        await connection.close()


@pytest.mark.parametrize("file", sorted(path.name for path in QUERIES.glob("*.sql")))
async def test_every_statement_fits_the_tables(service: Connection, file: str) -> None:
    for name, statement in load_queries(QUERIES / file).items():
        prepared = await service.prepare(statement)

        assert prepared.get_parameters() is not None, name


async def test_an_email_address_is_taken_whatever_its_case(service: Connection) -> None:
    name = new_id().hex
    insert = "insert into auth.users (user_id, email, password_hash, create_time) values ($1, $2, 'x', now())"
    await service.execute(insert, new_id(), f"{name}@example.org")

    with pytest.raises(asyncpg.UniqueViolationError):
        await service.execute(insert, new_id(), f"{name.upper()}@Example.org")


async def test_a_key_can_not_belong_to_another_organization_than_its_server(
    service: Connection,
) -> None:
    mine, theirs, server_id = new_id(), new_id(), new_id()
    for organization_id in (mine, theirs):
        await service.execute("insert into auth.organizations values ($1, 'x', now())", organization_id)
    await service.execute(
        "insert into auth.servers values ($1, $2, 'x', 'x', '', '', '', '', false, now())", server_id, mine
    )

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await service.execute(
            "insert into auth.agent_keys values ($1, $2, $3, sha256('x'), now())", new_id(), server_id, theirs
        )


async def test_changes_are_numbered_without_a_hole_whoever_commits_first(service: Connection, house: AuthHouse) -> None:
    """A transaction that changed something earlier but commits later gets the later number."""
    organization_id, users = new_id(), [new_id(), new_id()]
    await service.execute("insert into auth.organizations values ($1, 'x', now())", organization_id)
    for user_id in users:
        await service.execute("insert into auth.users values ($1, $2, 'x', now())", user_id, f"{user_id}@example.org")
    other = await asyncpg.connect(house.config.database_url)
    insert = "insert into auth.memberships values ($1, $2, 1, now())"
    try:
        early = service.transaction()
        await early.start()
        await service.execute(insert, organization_id, users[0])
        await other.execute(insert, organization_id, users[1])  # doesn't wait for the other's commit
        await early.commit()
    finally:
        await other.close()

    log = await service.fetch("select revision, user_id from auth.access_changes order by revision desc limit 2")
    assert [row["user_id"] for row in log] == users
    assert log[0]["revision"] == log[1]["revision"] + 1

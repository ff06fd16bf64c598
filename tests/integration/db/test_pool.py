"""The pool against a real PostgreSQL: what it is known as, and that no wait is without end."""

import asyncio

import asyncpg
import pytest

from flick.db.pool import open_pool
from flick.errors import FlickError, Kind
from tests.databases import DatabaseServer


async def test_connections_are_known_by_name_and_speak_utc(postgres: DatabaseServer, database: str) -> None:
    async with open_pool(postgres.url(database=database), application_name="flick-probe") as pool:
        row = await pool.fetchrow(
            "select current_setting('application_name') as name, current_setting('timezone') as zone"
        )

    assert row is not None
    assert (row["name"], row["zone"]) == ("flick-probe", "UTC")


async def test_a_statement_without_end_is_ended(postgres: DatabaseServer, database: str) -> None:
    async with open_pool(postgres.url(database=database), application_name="t", statement_timeout_s=0.1) as pool:
        with pytest.raises(FlickError) as caught:
            await pool.execute("select pg_sleep(30)")

    assert caught.value.kind is Kind.DEADLINE_EXCEEDED


async def test_waiting_for_a_free_connection_ends(postgres: DatabaseServer, database: str) -> None:
    url = postgres.url(database=database)
    async with open_pool(url, application_name="t", max_size=1, acquire_timeout_s=0.1) as pool, pool.acquire():
        with pytest.raises(FlickError) as caught:
            await pool.fetchval("select 1")

    assert (caught.value.kind, caught.value.retry_after_s) == (Kind.UNAVAILABLE, 1.0)


async def test_a_killed_connection_is_unavailable_and_the_next_call_works(
    postgres: DatabaseServer, database: str
) -> None:
    url = postgres.url(database=database)
    async with open_pool(url, application_name="t") as pool:
        with pytest.raises(FlickError) as caught:
            await pool.execute("select pg_terminate_backend(pg_backend_pid())")
        answer = await pool.fetchval("select 1")

    assert (caught.value.kind, answer) == (Kind.UNAVAILABLE, 1)


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    async with open_pool("postgresql://nobody@127.0.0.1:1/none", application_name="t") as pool:
        with pytest.raises(FlickError) as caught:
            await pool.fetchval("select 1")

    assert caught.value.kind is Kind.UNAVAILABLE


async def test_a_mistake_in_a_statement_stays_what_it_is(postgres: DatabaseServer, database: str) -> None:
    async with open_pool(postgres.url(database=database), application_name="t") as pool:
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.execute("select 1 from nowhere")


async def test_a_cancelled_caller_gives_its_connection_back(postgres: DatabaseServer, database: str) -> None:
    async with open_pool(postgres.url(database=database), application_name="t", max_size=1) as pool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pool.execute("select pg_sleep(30)")
        answer = await pool.fetchval("select 1")

    assert answer == 1


async def test_waiting_for_a_lock_ends(postgres: DatabaseServer, database: str) -> None:
    url = postgres.url(database=database)
    async with (
        open_pool(url, application_name="t") as owner,
        open_pool(url, application_name="t", lock_timeout_s=0.1) as pool,
        owner.acquire() as holder,
        holder.transaction(),
    ):
        await holder.execute("select pg_advisory_xact_lock(1)")
        with pytest.raises(FlickError) as caught:
            await pool.execute("select pg_advisory_lock(1)")

    assert (caught.value.kind, caught.value.public) == (Kind.UNAVAILABLE, "The database is busy.")

"""The servers that other integration tests stand on are what production runs."""

import asyncpg
import pytest
import redis.asyncio

from tests.databases import DatabaseServer


async def test_a_fresh_database_carries_timescaledb_and_full_durability(
    postgres: DatabaseServer, database: str
) -> None:
    connection = await asyncpg.connect(postgres.url(database=database))
    try:
        extension = await connection.fetchval("select extversion from pg_extension where extname = 'timescaledb'")
        durable = [
            await connection.fetchval(f"show {name}") for name in ("fsync", "full_page_writes", "synchronous_commit")
        ]
        await connection.execute("create schema own; create table own.samples (time timestamptz not null, value real)")
        await connection.execute("select create_hypertable('own.samples', 'time')")
        await connection.execute("insert into own.samples values (now(), 1)")
        edition = await connection.fetchval("show timescaledb.license")
    finally:
        await connection.close()

    assert extension
    assert durable == ["on", "on", "on"]
    assert edition == "apache"


async def test_a_service_role_may_connect_but_create_nothing_in_public(postgres: DatabaseServer, database: str) -> None:
    connection = await asyncpg.connect(postgres.url(database=database, role="flick_ingest"))
    try:
        await connection.execute("create temporary table staging (value int)")

        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("create table public.intruder (value int)")
    finally:
        await connection.close()


async def test_a_template_is_prepared_once_and_copied(postgres: DatabaseServer) -> None:
    runs = []

    async def prepare(url: str) -> None:
        runs.append(url)
        connection = await asyncpg.connect(url)
        await connection.execute("create schema kept; create table kept.things (id int)")
        await connection.close()

    for _ in range(2):
        template = await postgres.template("flick_test_kept", prepare)
        async with postgres.database(template=template) as name:
            connection = await asyncpg.connect(postgres.url(database=name))
            await connection.execute("insert into kept.things values (1)")
            count = await connection.fetchval("select count(*) from kept.things")
            await connection.close()

            assert count == 1

    assert len(runs) == 1


async def test_redis_answers_only_with_its_password(redis_url: str) -> None:
    client = redis.asyncio.from_url(redis_url)
    await client.set("flick-test-local", "1", ex=5)
    value = await client.get("flick-test-local")
    policy = await client.config_get("maxmemory-policy")
    await client.aclose()

    assert value == b"1"
    assert policy == {"maxmemory-policy": "noeviction"}

    stranger = redis.asyncio.from_url("redis://127.0.0.1:" + redis_url.rpartition(":")[2])
    with pytest.raises(redis.exceptions.AuthenticationError):
        await stranger.ping()
    await stranger.aclose()

"""What the services get: embedded servers, or the existing ones that the environment names."""

import random
from pathlib import Path

import asyncpg
import pytest

from deploy.local.data_dir import DataDir
from deploy.local.embedded.database import DATABASE, OWNER, SERVICE_ROLES
from deploy.local.embedded.redis import answers
from deploy.local.embedded.runtime import Runtime
from deploy.local.errors import LocalError
from deploy.local.machine.ports import free_port
from deploy.local.storage import Storage, StorageSettings, StorageStarter
from deploy.local.supervision.supervisor import Supervisor
from flick.clock import SystemClock
from tests.databases import DatabaseServer

PRIVILEGED = "select count(*) from pg_roles where rolname like 'flick%' and (rolsuper or rolcreaterole or rolcreatedb)"


async def start(data: DataDir, supervisor: Supervisor, settings: StorageSettings, runtime: Runtime) -> Storage:
    first = free_port()
    return await StorageStarter(
        settings=settings,
        data=data,
        cache_dir=runtime.root.parent,
        runtime_dir=data.path,
        ports={"postgres": first, "redis": free_port(taken=frozenset({first}))},
        supervisor=supervisor,
        progress=lambda _what, _fraction: None,
    ).start()


def supervise(folder: Path) -> Supervisor:
    return Supervisor(
        logs=folder / "logs", report=lambda _report: None, clock=SystemClock(), randomness=random.Random(1)
    )


async def roles_that_connect(storage: Storage) -> set[str]:
    found = set()
    for url in storage.database_urls.values():
        connection = await asyncpg.connect(url)
        found.add(str(await connection.fetchval("select current_user")))
        await connection.close()
    return found


async def test_embedded_servers_serve_every_role_and_keep_their_data(reachable_dir: Path, runtime: Runtime) -> None:
    seen = []
    for _ in range(2):
        with DataDir(path=reachable_dir / "data") as data:
            async with supervise(data.path) as supervisor:
                storage = await start(data, supervisor, StorageSettings(), runtime)
                roles = await roles_that_connect(storage)
                connection = await asyncpg.connect(storage.database_urls[OWNER])
                await connection.execute(
                    "create schema if not exists kept; create table if not exists kept.rows (id int)"
                )
                await connection.execute("insert into kept.rows values (1)")
                rows = await connection.fetchval("select count(*) from kept.rows")
                database = await connection.fetchval("select current_database()")
                privileged = await connection.fetchval(PRIVILEGED)
                await connection.close()
                seen.append((roles, rows, database, privileged, await answers(storage.redis_url)))

    everyone = {OWNER, *SERVICE_ROLES}

    assert seen == [(everyone, 1, DATABASE, 0, True), (everyone, 2, DATABASE, 0, True)]


async def test_existing_servers_are_used_and_none_is_started(
    reachable_dir: Path, runtime: Runtime, postgres: DatabaseServer, database: str, redis_url: str
) -> None:
    settings = StorageSettings(database_url=postgres.admin_url(database=database), redis_url=redis_url)
    with DataDir(path=reachable_dir / "data") as data:
        async with supervise(data.path) as supervisor:
            storage = await start(data, supervisor, settings, runtime)
            started = supervisor.pids()
            roles = await roles_that_connect(storage)
    await postgres.renew_roles()

    assert started == {}
    assert roles >= set(SERVICE_ROLES)
    assert storage.redis_url == redis_url


async def test_a_database_that_does_not_answer_is_named_by_its_setting(reachable_dir: Path, runtime: Runtime) -> None:
    settings = StorageSettings(
        database_url=f"postgresql://flick@127.0.0.1:{free_port()}/flick", redis_url="redis://127.0.0.1:1"
    )
    with DataDir(path=reachable_dir / "data") as data:
        async with supervise(data.path) as supervisor:
            with pytest.raises(LocalError, match=r"FLICK_(DATABASE|REDIS)_URL names does not answer"):
                await start(data, supervisor, settings, runtime)

"""The embedded PostgreSQL: recovery after every kind of sudden end, refusals, and its access rules."""

import asyncio
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.local import parts
from deploy.local.embedded.database import make_roles
from deploy.local.embedded.postgres import SUPERUSER, Postgres, processes_in
from deploy.local.embedded.runtime import Runtime
from deploy.local.errors import DataVersionError, UnreachableFolderError
from deploy.local.machine.account import Account
from deploy.local.machine.ports import free_port
from deploy.local.machine.process import spawn
from deploy.local.supervision.supervisor import Supervisor
from flick.clock import SystemClock
from tests.waiting import eventually


@pytest.fixture
def server(reachable_dir: Path, runtime: Runtime, account: Account) -> Postgres:
    return Postgres(
        runtime=runtime,
        account=account,
        directory=reachable_dir / "postgres",
        socket_directory=reachable_dir / "run",
        port=free_port(),
        passwords={SUPERUSER: secrets.token_urlsafe(24)},
        shared_buffers_mib=16,
    )


@asynccontextmanager
async def running(server: Postgres) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(
        logs=server.directory.parent / "logs",
        report=lambda _report: None,
        clock=SystemClock(),
        randomness=random.Random(1),
    )
    async with supervisor:
        await supervisor.start(parts.postgres(server))
        yield supervisor


async def restarted(supervisor: Supervisor, server: Postgres, before: int) -> bool:
    return supervisor.pids()["postgres"] not in (None, before) and await parts.postgres(server).ready()


async def exists(path: Path) -> bool:
    return path.exists()


async def ask(server: Postgres, sql: str) -> object:
    connection = await asyncpg.connect(server.url(database="postgres"))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_what_was_committed_survives_kill_nine_of_the_server(server: Postgres) -> None:
    async with running(server) as supervisor:
        await ask(server, "create table kept as select 7 as id")
        postmaster = supervisor.pids()["postgres"]
        assert postmaster is not None
        os.kill(postmaster, signal.SIGKILL)
        await eventually(lambda: restarted(supervisor, server, postmaster), bool, every_s=0.05)

        assert await ask(server, "select id from kept") == 7


async def test_a_server_left_over_from_a_killed_launcher_is_ended_before_the_next_start(server: Postgres) -> None:
    await server.prepare()
    orphan = await spawn(
        *server.command(), account=server.account, environment=server.environment(), directory=Path("/")
    )
    await eventually(parts.postgres(server).ready, bool, every_s=0.05)
    visitor = await spawn("sleep", "60", directory=server.directory)
    async with running(server):
        alive = {process.pid for process in processes_in(server.directory)}
        answer = await ask(server, "select 1")
    await orphan.communicate()
    spared = visitor.returncode is None
    visitor.kill()
    await visitor.communicate()

    assert answer == 1
    assert orphan.pid not in alive
    assert spared


async def test_a_pid_file_that_names_another_program_does_not_hinder_the_start(server: Postgres) -> None:
    async with running(server):
        pid_file = (server.directory / "postmaster.pid").read_text()
    stranger = psutil.Process().pid
    (server.directory / "postmaster.pid").write_text(f"{stranger}\n" + pid_file.partition("\n")[2])
    async with running(server):
        assert await ask(server, "select 1") == 1


async def test_an_interrupted_creation_is_begun_anew(server: Postgres) -> None:
    creating = asyncio.create_task(server.prepare())
    new = server.directory.with_name("postgres.new")
    assert await eventually(lambda: exists(new / "base"), bool, every_s=0.001)
    creating.cancel()
    await asyncio.wait({creating})

    assert not server.directory.exists()
    assert not new.with_name("postgres.new.password").exists()
    async with running(server):
        assert await ask(server, "select 1") == 1


async def test_data_of_another_major_version_is_refused_untouched_with_the_way_to_upgrade(server: Postgres) -> None:
    await server.prepare()
    (server.directory / "PG_VERSION").write_text("16\n")
    before = sorted(path.name for path in server.directory.iterdir())

    with pytest.raises(DataVersionError, match=r"PostgreSQL 16, but this FLick carries PostgreSQL 17.*pg_dump"):
        await server.prepare()
    assert sorted(path.name for path in server.directory.iterdir()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the database to another account")
async def test_a_folder_that_the_database_cannot_reach_is_named(server: Postgres) -> None:
    server.directory.parent.chmod(0o700)

    with pytest.raises(UnreachableFolderError, match=str(server.directory.parent)):
        await server.prepare()


async def test_it_wants_a_password_everywhere_and_never_leaves_this_machine(server: Postgres) -> None:
    async with running(server) as supervisor:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(user=SUPERUSER, password="wrong", host="127.0.0.1", port=server.port)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(user=SUPERUSER, password="wrong", host=str(server.socket_directory), port=server.port)
        by_socket = await asyncpg.connect(
            user=SUPERUSER, password=server.passwords[SUPERUSER], host=str(server.socket_directory), port=server.port
        )
        await by_socket.close()
        pid = supervisor.pids()["postgres"]
        listening = {one.laddr.ip for one in psutil.Process(pid).net_connections("tcp") if one.status == "LISTEN"}
        owner = psutil.Process(pid).uids().real

    assert listening == {"127.0.0.1"}
    assert owner == server.account.uid != 0


async def test_no_password_stands_in_its_log(server: Postgres) -> None:
    async with running(server):
        connection = await asyncpg.connect(server.url(database="postgres"))
        await connection.execute("set log_statement = 'all'")
        await make_roles(connection, {"flick_owner": "very-secret-word"})
        await connection.close()
    log = (server.directory.parent / "logs/postgres.log").read_text()

    assert "flick_owner" in log
    assert "very-secret-word" not in log

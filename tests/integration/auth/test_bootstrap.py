"""What `python -m services.auth bootstrap` makes, as its caller sees it."""

import asyncio
import json
import os
import sys
from typing import Any

import asyncpg
import pytest_asyncio

from flick.tokens import AGENT_KEY_PREFIX, parse_opaque
from flick.v1 import auth_pb2
from tests.databases import DatabaseServer
from tests.integration.auth.house import auth_house

EMAIL = "admin@example.org"
PASSWORD = "a first password"


class Commands:
    """Runs the command over one database."""

    def __init__(self, *, url: str, owner_url: str) -> None:
        self.url = url
        self.owner_url = owner_url

    async def run(self, *arguments: str, email: str = EMAIL, password: str = PASSWORD) -> tuple[int, str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
        settings = {"FLICK_BOOTSTRAP_EMAIL": email, "FLICK_BOOTSTRAP_PASSWORD": password}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.auth", "bootstrap", *arguments),
            env={**inherited, **settings, "FLICK_AUTH_DATABASE_URL": self.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def line(self, *arguments: str, **settings: str) -> Any:
        code, out, err = await self.run(*arguments, **settings)
        assert (code, out.count("\n")) == (0, 1), err
        return json.loads(out)

    async def sql(self, statement: str) -> Any:
        connection = await asyncpg.connect(self.owner_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def commands(postgres: DatabaseServer, empty_database: str) -> Commands:
    return Commands(
        url=postgres.url(database=empty_database, role="flick_auth"), owner_url=postgres.url(database=empty_database)
    )


async def test_the_first_run_makes_organization_owner_and_server(commands: Commands) -> None:
    made = await commands.line()

    assert made["created"] is True
    assert parse_opaque(made["agent_key"], prefix=AGENT_KEY_PREFIX)
    assert await commands.sql("select role from auth.memberships") == 4
    assert str(await commands.sql("select server_id from auth.servers where is_local")) == made["server_id"]


async def test_a_further_run_changes_nothing_and_needs_no_password(commands: Commands) -> None:
    first = await commands.line()

    second = await commands.line(email="", password="")

    assert second == {**first, "created": False, "agent_key": None}
    assert await commands.sql("select count(*) from auth.agent_keys") == 1


async def test_runs_at_the_same_time_make_everything_once(commands: Commands) -> None:
    made = await asyncio.gather(*(commands.line() for _ in range(3)))

    assert [one["created"] for one in made].count(True) == 1
    assert len({(one["organization_id"], one["server_id"]) for one in made}) == 1
    assert await commands.sql("select count(*) from auth.users") == 1


async def test_a_lost_agent_key_is_replaced(commands: Commands) -> None:
    first = await commands.line()

    second = await commands.line("--new-agent-key")

    assert second["server_id"] == first["server_id"]
    assert second["agent_key"] not in (None, first["agent_key"])
    assert await commands.sql("select count(*) from auth.agent_keys where revoke_time is null") == 1


async def test_a_deleted_local_server_is_made_anew(commands: Commands) -> None:
    first = await commands.line()
    await commands.sql("update auth.servers set delete_time = now() returning 1")

    second = await commands.line()

    assert second["server_id"] != first["server_id"]
    assert second["agent_key"] is not None


async def test_without_an_admin_the_missing_setting_is_named(commands: Commands) -> None:
    code, out, err = await commands.run(password="")

    assert (code, out) == (1, "")
    assert "FLICK_BOOTSTRAP_PASSWORD is not set" in err


async def test_a_short_password_is_refused_and_nothing_is_made(commands: Commands) -> None:
    code, _, err = await commands.run(password="short")

    assert code == 1
    assert "give at least 8" in err
    assert await commands.sql("select count(*) from auth.organizations") == 0


async def test_a_database_that_is_away_is_said_to_be(commands: Commands) -> None:
    away = Commands(url="postgresql://flick_auth:x@127.0.0.1:1/flick", owner_url=commands.owner_url)

    code, out, err = await away.run()

    assert (code, out) == (1, "")
    assert "auth: The database does not answer now." in err


async def test_the_first_admin_can_sign_in(commands: Commands, tmp_path: Any) -> None:
    await commands.line()

    async with auth_house(database_url=commands.url, owner_url=commands.owner_url, folder=tmp_path) as house:
        pair = await house.sessions.Login(auth_pb2.LoginRequest(email=EMAIL.upper(), password=PASSWORD))

    assert pair.access_token

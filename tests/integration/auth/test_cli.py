"""The registry by the `flick` command: a real gateway before a real auth, and a query that trusts everybody."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from flick.rpc.aspect import Context
from tests.integration.auth.house import PASSWORD, AuthHouse, Person
from tests.integration.auth.test_servers import get
from tests.integration.cli.command import User
from tests.integration.gateway.running import run_gateway
from tests.integration.gateway.scripted import Accounts, make_backends, serve_query


class Trusting(Accounts):
    """Whoever calls is let in."""

    def caller(self, context: Context) -> str:
        return "anybody"


@pytest_asyncio.fixture(loop_scope="session")
async def user(house: AuthHouse, owner: Person, tmp_path: Path) -> AsyncIterator[User]:
    """The owner, signed in."""
    backends = make_backends({})
    backends.auth_address, backends.query.accounts = house.address, Trusting()
    async with serve_query(backends), run_gateway(backends) as gateway:
        made = User(home=tmp_path, url=gateway.url)
        outcome = await made.flick("login", "--email", owner.email, "--password-stdin", stdin=PASSWORD + "\n")
        assert outcome.code == 0, outcome.err
        yield made


async def names(user: User, *arguments: str) -> list[str]:
    outcome = await user.flick("servers", "ls", "--json", *arguments)
    assert outcome.code == 0, outcome.err
    return [one["displayName"] for one in json.loads(outcome.out)["servers"]]


async def test_servers_are_tagged_grouped_and_found(house: AuthHouse, owner: Person, user: User) -> None:
    for hostname in ("web-1", "web-2", "db-1"):
        await house.server(owner, hostname=hostname)
    assert (await user.flick("groups", "create", "Web", "--description", "front")).code == 0

    edited = await user.flick(
        *("servers", "edit", "web-1", "web-2", "--tag", "env:prod", "--tag", "x"),
        *("--untag", "x", "--group", "web", "--category", "cloud"),
    )

    assert (edited.code, edited.out) == (0, "2 servers are changed.\n"), edited.err
    assert await names(user, "--filter", "tags:env:prod AND category=cloud") == ["web-1", "web-2"]
    assert await names(user, "--filter", "NOT server_group:Web") == ["db-1"]
    assert await names(user, "--order-by", "hostname desc") == ["web-2", "web-1", "db-1"]
    listed = (await user.flick("groups", "ls")).out.splitlines()
    assert [line.split()[:3] for line in listed] == [["NAME", "SERVERS", "DESCRIPTION"], ["Web", "2", "front"]]
    table = (await user.flick("servers", "ls", "--filter", "display_name=web-1")).out
    assert "env:prod" in table


async def test_a_server_leaves_its_group_and_gets_another_name(house: AuthHouse, owner: Person, user: User) -> None:
    server_id = (await house.server(owner)).server.server_id
    await user.flick("groups", "create", "Web")
    await user.flick("servers", "edit", "db-1", "--group", "Web", "--description", "rack 4")

    await user.flick("servers", "edit", "db-1", "--group", "")
    await user.flick("servers", "edit", "db-1", "--name", "서버 하나")

    server = await get(house, owner, server_id)
    assert (server.display_name, server.server_group_id, server.description) == ("서버 하나", "", "rack 4")


async def test_a_group_is_changed_and_deleted(user: User) -> None:
    await user.flick("groups", "create", "Web")

    changed = await user.flick("groups", "edit", "WEB", "--name", "Front", "--json")
    removed = await user.flick("groups", "rm", "front")

    assert json.loads(changed.out)["displayName"] == "Front"
    assert removed.out == "The group Front is deleted.\n"
    assert "There are no groups yet" in (await user.flick("groups", "ls")).out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("servers", "edit", "db-1"), 2, "--tag"),
        (("servers", "edit", "db-1", "--name", "a", "--tag", "b"), 2, "either"),
        (("servers", "edit", "db-1", "nobody", "--tag", "b"), 4, "'nobody'"),
        (("servers", "edit", "db-1", "--tag", "a b"), 1, "add_tags[0]"),
        (("servers", "edit", "db-1", "--group", "nothing"), 4, "flick groups ls"),
        (("servers", "edit", "db-1", "--category", "toaster"), 2, "physical"),
        (("servers", "ls", "--filter", "colour=red"), 1, "at character 1:"),
        (("servers", "ls", "--order-by", "colour"), 1, "order_by"),
        (("groups", "rm", "nothing"), 4, "flick groups ls"),
        (("groups", "edit", "nothing"), 2, "--description"),
    ],
)
async def test_what_is_wrong_is_said_with_its_fix(
    house: AuthHouse, owner: Person, user: User, arguments: tuple[str, ...], code: int, words: str
) -> None:
    await house.server(owner)

    outcome = await user.flick(*arguments)

    assert (outcome.code, outcome.out) == (code, "")
    assert words in outcome.err


async def test_a_filter_that_nothing_matches_says_so(house: AuthHouse, owner: Person, user: User) -> None:
    await house.server(owner)

    assert (await user.flick("servers", "ls", "--filter", "tags:none")).out == "No server matches the filter.\n"

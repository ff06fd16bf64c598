"""The registry by the `flick` command: a real gateway before a real auth, and a query that trusts everybody."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from flick.rpc.aspect import Context
from flick.v1 import options_pb2
from tests.integration.auth.access.test_hosts import report, tell
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
        *("servers", "set", "web-1", "web-2", "--tag", "env:prod", "--tag", "x"),
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
    await user.flick("servers", "set", "db-1", "--group", "Web", "--description", "rack 4")

    await user.flick("servers", "set", "db-1", "--group", "")
    await user.flick("servers", "set", "db-1", "--name", "서버 하나")

    server = await get(house, owner, server_id)
    assert (server.display_name, server.server_group_id, server.description) == ("서버 하나", "", "rack 4")


async def test_a_group_is_changed_and_deleted(user: User) -> None:
    await user.flick("groups", "create", "Web")

    changed = await user.flick("groups", "set", "WEB", "--name", "Front", "--json")
    removed = await user.flick("groups", "rm", "front")

    assert json.loads(changed.out)["serverGroup"]["displayName"] == "Front"
    assert removed.out == "The group Front is deleted.\n"
    assert "There are no groups yet" in (await user.flick("groups", "ls")).out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("servers", "set", "db-1"), 2, "--tag"),
        (("servers", "set", "db-1", "--name", "a", "--tag", "b"), 2, "either"),
        (("servers", "set", "db-1", "nobody", "--tag", "b"), 4, "'nobody'"),
        (("servers", "set", "db-1", "--tag", "a b"), 1, "add_tags[0]"),
        (("servers", "set", "db-1", "--group", "nothing"), 4, "flick groups ls"),
        (("servers", "set", "db-1", "--category", "toaster"), 2, "physical"),
        (("servers", "ls", "--filter", "colour=red"), 1, "at character 1:"),
        (("servers", "ls", "--order-by", "colour"), 1, "order_by"),
        (("groups", "rm", "nothing"), 4, "flick groups ls"),
        (("servers", "set", "db-1", "--metric-interval", "5"), 2, "as 5s or 1m"),
        (("servers", "set", "db-1", "--metric-interval", "10m"), 1, "settings.metric_interval"),
        (("servers", "set", "db-1", "--retention-days", "0"), 1, "settings.retention_days"),
        (("servers", "set", "db-1", "--retention-days", "7", "--unset", "retention-days"), 2, "one of them"),
        (("servers", "set", "db-1", "--unset", "colour"), 2, "metric-interval"),
        (("servers", "show", "nobody"), 4, "flick servers ls"),
        (("groups", "set", "nothing"), 2, "--description"),
        (("groups", "set", "nothing", "--no-processes"), 4, "flick groups ls"),
        (("groups", "show", "nothing"), 4, "flick groups ls"),
        (("organization", "set"), 2, "--retention-days"),
        (("organization", "set", "--retention-days", "9999"), 1, "settings.retention_days"),
        (("organization", "show", "--organization", "nothing"), 4, "'nothing'"),
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


async def settings_of(user: User, *what: str) -> dict[str, list[str]]:
    """What is shown of settings: value and for whom it is set, by setting."""
    outcome = await user.flick(*what)
    assert outcome.code == 0, outcome.err
    lines = [line.split() for line in outcome.out.splitlines()]
    table = lines[lines.index(["SETTING", "VALUE", "SET", "FOR"]) + 1 :]
    return {name: [" ".join(value), level] for name, *value, level in table}


async def test_settings_are_inherited_and_each_is_told_with_its_level(
    house: AuthHouse, owner: Person, user: User
) -> None:
    await house.server(owner)
    await user.flick("groups", "create", "Web")
    for arguments in (
        ("organization", "set", "--retention-days", "90", "--metric-interval", "1m"),
        ("groups", "set", "Web", "--metric-interval", "10s", "--no-commands"),
        ("servers", "set", "db-1", "--group", "Web", "--tag", "env:prod", "--no-processes"),
    ):
        outcome = await user.flick(*arguments)
        assert outcome.code == 0, outcome.err

    shown = await settings_of(user, "servers", "show", "db-1")
    assert shown == {
        "metric-interval": ["10s", "group"],
        "retention-days": ["90 days", "organization"],
        "processes": ["no", "server"],
        "commands": ["no", "group"],
    }
    assert (await settings_of(user, "groups", "show", "web"))["retention-days"] == ["90 days", "organization"]
    assert (await settings_of(user, "organization", "show"))["commands"] == ["yes", "default"]


async def test_what_is_unset_is_inherited_again(house: AuthHouse, owner: Person, user: User) -> None:
    await house.server(owner)
    await user.flick("groups", "create", "Web")
    await user.flick("organization", "set", "--retention-days", "90")
    await user.flick("groups", "set", "Web", "--retention-days", "60")
    await user.flick("servers", "set", "db-1", "--group", "Web", "--retention-days", "7", "--no-processes")

    told = []
    for arguments in (
        ("servers", "set", "db-1", "--unset", "retention-days", "--unset", "processes"),
        ("groups", "set", "Web", "--unset", "retention-days"),
        ("organization", "set", "--unset", "retention-days"),
    ):
        assert (await user.flick(*arguments)).code == 0
        told.append((await settings_of(user, "servers", "show", "db-1"))["retention-days"])

    assert told == [["60 days", "group"], ["90 days", "organization"], ["30 days", "default"]]
    assert (await settings_of(user, "servers", "show", "db-1"))["processes"] == ["yes", "default"]


async def test_several_servers_get_the_same_settings_and_other_fields_stay(
    house: AuthHouse, owner: Person, user: User
) -> None:
    for hostname in ("web-1", "web-2"):
        await house.server(owner, hostname=hostname)
    await user.flick("servers", "set", "web-1", "--description", "front", "--retention-days", "7")

    outcome = await user.flick("servers", "set", "web-1", "web-2", "--metric-interval", "30s")

    assert outcome.out == "2 servers are changed.\n", outcome.err
    first = json.loads((await user.flick("servers", "show", "web-1", "--json")).out)
    assert (first["server"]["description"], first["settings"]["retentionDays"]) == ("front", 7)
    second = await settings_of(user, "servers", "show", "web-2")
    assert (first["settings"]["metricInterval"], second["metric-interval"]) == ("30s", ["30s", "server"])


async def test_a_server_is_shown_with_what_its_agent_tells_of_its_host(
    house: AuthHouse, owner: Person, user: User
) -> None:
    server_id = (await house.server(owner)).server.server_id
    await tell(house, report(server_id))
    await user.flick("servers", "set", "db-1", "--tag", "env:prod", "--category", "cloud", "--description", "rack 4")

    outcome = await user.flick("servers", "show", "db-1")
    shown = dict(
        re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in outcome.out.splitlines() if "  " in line.strip()
    )

    assert shown["kernel"] == "6.12.38-amd64 amd64"
    assert shown["system"] == "Debian GNU/Linux 13 (trixie)"
    assert shown["processors"] == "16 logical, 8 cores"
    assert shown["memory"] == "32.0 GiB"
    assert shown["addresses"] == "192.0.2.7 2001:db8::7"
    assert (shown["agent"], shown["tags"], shown["category"]) == ("0.2.0", "env:prod", "cloud")
    assert (shown["description"], shown["host changed"][-3:]) == ("rack 4", "ago")


async def test_who_is_in_several_organizations_names_one(house: AuthHouse, owner: Person, user: User) -> None:
    other = await house.organization()
    await house.join(owner.user_id, other, options_pb2.ROLE_ADMIN)

    unnamed = await user.flick("organization", "show")
    named = await user.flick("organization", "set", "--organization", str(other), "--name", "Lab", "--json")

    assert (unnamed.code, str(other) in unnamed.err, "--organization" in unnamed.err) == (2, True, True)
    assert json.loads(named.out)["organization"]["displayName"] == "Lab"

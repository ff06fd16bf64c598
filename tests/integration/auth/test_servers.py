"""The registry of servers: names, settings, keys, pages."""

import asyncio
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import FlickError, Kind
from flick.ids import new_id
from flick.tokens import AGENT_KEY_PREFIX, parse_opaque
from flick.v1 import options_pb2, servers_pb2
from services.auth.rules.settings import CHANGEABLE
from tests.integration.auth.house import AuthHouse, Person, refusal


async def list_servers(house: AuthHouse, person: Person, **fields: Any) -> servers_pb2.ListServersResponse:
    return await house.servers.ListServers(servers_pb2.ListServersRequest(**fields), metadata=person.metadata)


async def get(house: AuthHouse, person: Person, server_id: str) -> servers_pb2.Server:
    return await house.servers.GetServer(servers_pb2.GetServerRequest(server_id=server_id), metadata=person.metadata)


async def settings(house: AuthHouse, person: Person, server_id: str) -> servers_pb2.ServerSettings:
    request = servers_pb2.GetServerSettingsRequest(server_id=server_id)
    return await house.servers.GetServerSettings(request, metadata=person.metadata)


async def change(
    house: AuthHouse, person: Person, server_id: str, paths: list[str], **values: Any
) -> servers_pb2.ServerSettings:
    request = servers_pb2.UpdateServerSettingsRequest(
        server_id=server_id, settings=servers_pb2.ServerSettings(**values), update_mask=FieldMask(paths=paths)
    )
    return await house.servers.UpdateServerSettings(request, metadata=person.metadata)


async def edit(house: AuthHouse, person: Person, server_id: str, paths: list[str], **values: Any) -> servers_pb2.Server:
    request = servers_pb2.UpdateServerRequest(
        server_id=server_id, server=servers_pb2.Server(**values), update_mask=FieldMask(paths=paths)
    )
    return await house.servers.UpdateServer(request, metadata=person.metadata)


async def rename(house: AuthHouse, person: Person, server_id: str, paths: list[str], name: str) -> servers_pb2.Server:
    return await edit(house, person, server_id, paths, display_name=name)


async def test_a_new_server_has_the_default_settings(house: AuthHouse, owner: Person) -> None:
    server = (await house.server(owner)).server

    assert await settings(house, owner, server.server_id) == servers_pb2.ServerSettings(
        metric_interval=Duration(seconds=5),
        retention_days=30,
        processes_enabled=True,
        process_commands_enabled=True,
        levels=dict.fromkeys(CHANGEABLE, servers_pb2.SETTINGS_LEVEL_DEFAULT),
    )


async def test_servers_are_listed_by_name_page_by_page(house: AuthHouse, owner: Person) -> None:
    for hostname in ("web", "db", "Mail", "cache", "db"):
        await house.server(owner, hostname=hostname)

    names, token = [], ""
    for _ in range(3):
        page = await list_servers(house, owner, page_size=2, page_token=token)
        names += [server.display_name for server in page.servers]
        token = page.next_page_token

    assert names == ["cache", "db", "db", "Mail", "web"]
    assert token == ""


async def test_each_sees_the_servers_of_their_own_organizations(house: AuthHouse, owner: Person) -> None:
    stranger = await house.person()
    mine, theirs = (await house.server(owner)).server, (await house.server(stranger)).server
    await house.join(owner.user_id, stranger.organization_id, options_pb2.ROLE_VIEWER)

    both = await list_servers(house, owner)
    one = await list_servers(house, owner, organization_id=str(stranger.organization_id))
    strangers = await list_servers(house, stranger)

    assert {server.server_id for server in both.servers} == {mine.server_id, theirs.server_id}
    assert [server.server_id for server in one.servers] == [theirs.server_id]
    assert [server.server_id for server in strangers.servers] == [theirs.server_id]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"page_size": -1}, "page_size"),
        ({"page_size": 1001}, "page_size"),
        ({"page_token": "x"}, "page_token"),
        ({"page_token": "WzFd"}, "page_token"),
        ({"page_token": "WyJhIl0"}, "page_token"),
        ({"page_token": "x" * 5000}, "page_token"),
    ],
)
async def test_a_page_that_can_not_be_is_named(
    house: AuthHouse, owner: Person, fields: dict[str, Any], field: str
) -> None:
    error = await refusal(list_servers(house, owner, **fields))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, field)


async def test_a_foreign_server_answers_as_an_unknown_one(house: AuthHouse, owner: Person) -> None:
    foreign = (await house.server(await house.person())).server.server_id

    answers: list[FlickError] = []
    for server_id in (foreign, str(new_id()), "x"):
        answers += [
            await refusal(get(house, owner, server_id)),
            await refusal(settings(house, owner, server_id)),
            await refusal(rename(house, owner, server_id, ["display_name"], "mine")),
            await refusal(change(house, owner, server_id, ["retention_days"], retention_days=1)),
            await refusal(delete(house, owner, server_id)),
            await refusal(keys(house, owner, server_id)),
            await refusal(revoke(house, owner, server_id, str(new_id()))),
        ]

    assert {(error.kind, error.public) for error in answers} == {(Kind.NOT_FOUND, "There is no such server.")}


async def test_a_server_is_renamed(house: AuthHouse, owner: Person) -> None:
    server = (await house.server(owner)).server

    renamed = await rename(house, owner, server.server_id, ["display_name"], " 서버 하나 ")

    assert renamed.display_name == "서버 하나"
    assert await get(house, owner, server.server_id) == renamed


async def test_what_people_say_of_a_server_is_kept(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    said = {"tags": ["Role:DB", "서버"], "description": "rack 4\nleft", "category": servers_pb2.SERVER_CATEGORY_CLOUD}

    edited = await edit(house, owner, server_id, ["tags", "description", "category"], **said)

    assert list(edited.tags) == ["role:db", "서버"]
    assert (edited.description, edited.category) == ("rack 4\nleft", servers_pb2.SERVER_CATEGORY_CLOUD)
    assert edited.display_name == "db-1"
    assert await get(house, owner, server_id) == edited
    assert list((await list_servers(house, owner)).servers) == [edited]


async def test_what_people_say_of_a_server_can_be_emptied(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    await edit(house, owner, server_id, ["tags", "description", "category"], tags=["a"], description="b", category=1)

    edited = await edit(house, owner, server_id, ["tags", "description", "category"])

    assert (list(edited.tags), edited.description, edited.category) == ([], "", 0)


@pytest.mark.parametrize(
    ("paths", "name", "field"),
    [
        ([], "x", "update_mask"),
        (["hostname"], "x", "update_mask"),
        (["display_name", "server_id"], "x", "update_mask"),
        (["*"], "x", "update_mask"),
        (["display_name"], "", "server.display_name"),
        (["display_name"], "   ", "server.display_name"),
        (["display_name"], "x" * 101, "server.display_name"),
        (["display_name"], "a\0b", "server.display_name"),
    ],
)
async def test_a_renaming_that_can_not_be_is_named(
    house: AuthHouse, owner: Person, paths: list[str], name: str, field: str
) -> None:
    server = (await house.server(owner)).server

    error = await refusal(rename(house, owner, server.server_id, paths, name))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, field)


async def test_only_the_settings_that_the_mask_names_change(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id

    paths = ["processes_enabled", "retention_days"]
    changed = await change(house, owner, server_id, paths, processes_enabled=False, retention_days=7)

    assert (changed.processes_enabled, changed.retention_days) == (False, 7)
    assert (changed.metric_interval.seconds, changed.process_commands_enabled) == (5, True)
    assert await settings(house, owner, server_id) == changed


@pytest.mark.parametrize(
    ("path", "values", "field"),
    [
        ("retention_days", {"retention_days": 0}, "settings.retention_days"),
        ("retention_days", {"retention_days": 3651}, "settings.retention_days"),
        ("metric_interval", {"metric_interval": Duration()}, "settings.metric_interval"),
        ("metric_interval", {"metric_interval": Duration(seconds=301)}, "settings.metric_interval"),
        ("metric_interval", {"metric_interval": Duration(seconds=1, nanos=500_000_000)}, "settings.metric_interval"),
        ("metric_interval.seconds", {"metric_interval": Duration(seconds=1)}, "update_mask"),
        ("retention", {}, "update_mask"),
    ],
)
async def test_a_setting_out_of_range_is_named(
    house: AuthHouse, owner: Person, path: str, values: dict[str, Any], field: str
) -> None:
    server_id = (await house.server(owner)).server.server_id

    error = await refusal(change(house, owner, server_id, [path], **values))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, field)


async def test_of_two_changes_at_once_none_is_lost(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id

    await asyncio.gather(
        *(change(house, owner, server_id, ["retention_days"], retention_days=9) for _ in range(5)),
        *(change(house, owner, server_id, ["processes_enabled"], processes_enabled=False) for _ in range(5)),
        *(change(house, owner, server_id, ["metric_interval"], metric_interval=Duration(seconds=9)) for _ in range(5)),
    )

    now = await settings(house, owner, server_id)
    assert (now.retention_days, now.processes_enabled, now.metric_interval.seconds) == (9, False, 9)


async def delete(house: AuthHouse, person: Person, server_id: str) -> servers_pb2.DeleteServerResponse:
    request = servers_pb2.DeleteServerRequest(server_id=server_id)
    return await house.servers.DeleteServer(request, metadata=person.metadata)


async def test_a_deleted_server_is_gone_and_its_keys_with_it(house: AuthHouse, owner: Person) -> None:
    joined = await house.server(owner)
    server_id = joined.server.server_id

    await delete(house, owner, server_id)

    assert (await refusal(get(house, owner, server_id))).kind is Kind.NOT_FOUND
    assert (await refusal(delete(house, owner, server_id))).kind is Kind.NOT_FOUND
    assert not (await list_servers(house, owner)).servers
    valid = await house.sql("select 1 from auth.agent_keys where server_id = $1 and revoke_time is null", server_id)
    assert valid == []


async def keys(house: AuthHouse, person: Person, server_id: str, **fields: Any) -> servers_pb2.ListAgentKeysResponse:
    request = servers_pb2.ListAgentKeysRequest(server_id=server_id, **fields)
    return await house.servers.ListAgentKeys(request, metadata=person.metadata)


async def revoke(house: AuthHouse, person: Person, server_id: str, key_id: str) -> servers_pb2.AgentKey:
    request = servers_pb2.RevokeAgentKeyRequest(server_id=server_id, key_id=key_id)
    return await house.servers.RevokeAgentKey(request, metadata=person.metadata)


async def test_a_key_is_revoked_once_and_keeps_its_time(house: AuthHouse, owner: Person) -> None:
    joined = await house.server(owner)
    server_id = joined.server.server_id
    listed = (await keys(house, owner, server_id)).agent_keys
    assert [key.key_id for key in listed] == [str(parse_opaque(joined.agent_key, prefix=AGENT_KEY_PREFIX).id)]  # type: ignore[union-attr]

    first = await revoke(house, owner, server_id, listed[0].key_id)
    second = await revoke(house, owner, server_id, listed[0].key_id)

    assert first.HasField("revoke_time")
    assert second == first
    assert list((await keys(house, owner, server_id)).agent_keys) == [first]


async def test_a_key_is_revoked_only_by_its_own_server(house: AuthHouse, owner: Person) -> None:
    one, other = await house.server(owner), await house.server(owner)
    key_of_other = (await keys(house, owner, other.server.server_id)).agent_keys[0].key_id

    key_ids = (key_of_other, str(new_id()), "x")
    answers = [await refusal(revoke(house, owner, one.server.server_id, key_id)) for key_id in key_ids]

    assert {(error.kind, error.public) for error in answers} == {(Kind.NOT_FOUND, "There is no such agent key.")}
    assert not (await keys(house, owner, other.server.server_id)).agent_keys[0].HasField("revoke_time")


@pytest.mark.parametrize("role", [options_pb2.ROLE_VIEWER, options_pb2.ROLE_MEMBER])
async def test_who_is_no_admin_sees_but_changes_nothing(house: AuthHouse, owner: Person, role: int) -> None:
    server_id = (await house.server(owner)).server.server_id
    person = await house.person(role=role, organization_id=owner.organization_id)

    assert (await get(house, person, server_id)).server_id == server_id
    assert (await settings(house, person, server_id)).retention_days == 30
    for call in (
        rename(house, person, server_id, ["display_name"], "x"),
        change(house, person, server_id, ["retention_days"], retention_days=1),
        delete(house, person, server_id),
        keys(house, person, server_id),
        revoke(house, person, server_id, str(new_id())),
    ):
        assert (await refusal(call)).kind is Kind.PERMISSION_DENIED

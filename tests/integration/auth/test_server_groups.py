"""Groups of servers: names, servers in them, who may touch them."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import options_pb2, server_groups_pb2, servers_pb2
from services.auth.rules.server_groups import MAX_GROUPS
from tests.integration.auth.house import AuthHouse, Person, refusal


async def create(house: AuthHouse, person: Person, name: str, **fields: Any) -> server_groups_pb2.ServerGroup:
    request = server_groups_pb2.CreateServerGroupRequest(
        organization_id=str(person.organization_id),
        server_group=server_groups_pb2.ServerGroup(display_name=name, **fields),
    )
    return await house.groups.CreateServerGroup(request, metadata=person.metadata)


async def get(house: AuthHouse, person: Person, group_id: str) -> server_groups_pb2.ServerGroup:
    request = server_groups_pb2.GetServerGroupRequest(server_group_id=group_id)
    return await house.groups.GetServerGroup(request, metadata=person.metadata)


async def edit(
    house: AuthHouse, person: Person, group_id: str, paths: list[str], **values: Any
) -> server_groups_pb2.ServerGroup:
    request = server_groups_pb2.UpdateServerGroupRequest(
        server_group_id=group_id,
        server_group=server_groups_pb2.ServerGroup(**values),
        update_mask=FieldMask(paths=paths),
    )
    return await house.groups.UpdateServerGroup(request, metadata=person.metadata)


async def delete(house: AuthHouse, person: Person, group_id: str) -> None:
    request = server_groups_pb2.DeleteServerGroupRequest(server_group_id=group_id)
    await house.groups.DeleteServerGroup(request, metadata=person.metadata)


async def list_groups(house: AuthHouse, person: Person, **fields: Any) -> server_groups_pb2.ListServerGroupsResponse:
    request = server_groups_pb2.ListServerGroupsRequest(**fields)
    return await house.groups.ListServerGroups(request, metadata=person.metadata)


async def put(house: AuthHouse, person: Person, server_id: str, group_id: str) -> servers_pb2.Server:
    request = servers_pb2.UpdateServerRequest(
        server_id=server_id,
        server=servers_pb2.Server(server_group_id=group_id),
        update_mask=FieldMask(paths=["server_group_id"]),
    )
    return await house.servers.UpdateServer(request, metadata=person.metadata)


async def test_a_new_group_is_found_and_changed(house: AuthHouse, owner: Person) -> None:
    made = await create(house, owner, " 웹 서버 ", description="front\nof house")
    changed = await edit(house, owner, made.server_group_id, ["description"], description="")

    assert (made.display_name, made.description, made.server_count) == ("웹 서버", "front\nof house", 0)
    assert made.organization_id == str(owner.organization_id)
    assert (changed.display_name, changed.description) == ("웹 서버", "")
    assert await get(house, owner, made.server_group_id) == changed


async def test_groups_are_listed_by_name_page_by_page(house: AuthHouse, owner: Person) -> None:
    for name in ("web", "DB", "cache"):
        await create(house, owner, name)
    await create(house, await house.person(), "foreign")

    first = await list_groups(house, owner, page_size=2)
    second = await list_groups(house, owner, page_size=2, page_token=first.next_page_token)

    assert [one.display_name for one in first.server_groups] == ["cache", "DB"]
    assert [one.display_name for one in second.server_groups] == ["web"]
    assert second.next_page_token == ""


async def test_a_name_is_taken_once_within_the_organization_whatever_its_case(house: AuthHouse, owner: Person) -> None:
    await create(house, owner, "Web")
    other = await create(house, owner, "db")
    await create(house, await house.person(), "web")

    assert (await refusal(create(house, owner, "WEB"))).kind is Kind.ALREADY_EXISTS
    renamed = edit(house, owner, other.server_group_id, ["display_name"], display_name="web")
    assert (await refusal(renamed)).kind is Kind.ALREADY_EXISTS


async def test_a_server_is_in_one_group_at_most(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    one, two = await create(house, owner, "one"), await create(house, owner, "two")

    assert (await put(house, owner, server_id, one.server_group_id)).server_group_id == one.server_group_id
    assert (await get(house, owner, one.server_group_id)).server_count == 1
    assert (await put(house, owner, server_id, two.server_group_id)).server_group_id == two.server_group_id
    assert [group.server_count for group in (await list_groups(house, owner)).server_groups] == [0, 1]
    assert (await put(house, owner, server_id, "")).server_group_id == ""
    assert [group.server_count for group in (await list_groups(house, owner)).server_groups] == [0, 0]


async def test_the_servers_of_a_deleted_group_stay(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    group = await create(house, owner, "short-lived")
    await put(house, owner, server_id, group.server_group_id)

    await delete(house, owner, group.server_group_id)

    request = servers_pb2.GetServerRequest(server_id=server_id)
    assert (await house.servers.GetServer(request, metadata=owner.metadata)).server_group_id == ""
    assert (await refusal(get(house, owner, group.server_group_id))).kind is Kind.NOT_FOUND


async def test_a_deleted_server_does_not_count(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    group = await create(house, owner, "g")
    await put(house, owner, server_id, group.server_group_id)

    await house.servers.DeleteServer(servers_pb2.DeleteServerRequest(server_id=server_id), metadata=owner.metadata)

    assert (await get(house, owner, group.server_group_id)).server_count == 0


async def test_a_server_joins_no_foreign_or_unknown_group(house: AuthHouse, owner: Person) -> None:
    stranger = await house.person()
    await house.join(owner.user_id, stranger.organization_id, options_pb2.ROLE_OWNER)  # even with a role in both
    server_id = (await house.server(owner)).server.server_id
    foreign = (await create(house, stranger, "foreign")).server_group_id

    errors = [await refusal(put(house, owner, server_id, group_id)) for group_id in (foreign, str(new_id()), "x")]

    assert {(error.kind, error.violations[0].field) for error in errors} == {
        (Kind.INVALID_ARGUMENT, "server.server_group_id")
    }


async def test_a_foreign_group_answers_as_an_unknown_one(house: AuthHouse, owner: Person) -> None:
    foreign = (await create(house, await house.person(), "foreign")).server_group_id

    errors = []
    for group_id in (foreign, str(new_id()), "x", ""):
        errors += [
            await refusal(get(house, owner, group_id)),
            await refusal(edit(house, owner, group_id, ["display_name"], display_name="mine")),
            await refusal(delete(house, owner, group_id)),
        ]

    assert {(error.kind, error.public) for error in errors} == {(Kind.NOT_FOUND, "There is no such server group.")}


@pytest.mark.parametrize("role", [options_pb2.ROLE_VIEWER, options_pb2.ROLE_MEMBER])
async def test_who_is_no_admin_sees_but_changes_nothing(house: AuthHouse, owner: Person, role: int) -> None:
    group = await create(house, owner, "g")
    person = await house.person(role=role, organization_id=owner.organization_id)

    assert await get(house, person, group.server_group_id) == group
    assert list((await list_groups(house, person)).server_groups) == [group]
    for call in (
        create(house, person, "x"),
        edit(house, person, group.server_group_id, ["display_name"], display_name="x"),
        delete(house, person, group.server_group_id),
    ):
        assert (await refusal(call)).kind is Kind.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "server_group.display_name"),
        ({"name": "x" * 101}, "server_group.display_name"),
        ({"name": "x", "description": "x" * 1001}, "server_group.description"),
    ],
)
async def test_a_group_that_can_not_be_is_named(
    house: AuthHouse, owner: Person, values: dict[str, Any], field: str
) -> None:
    error = await refusal(create(house, owner, **values))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, field)


@pytest.mark.parametrize("path", ["server_group_id", "server_count", "colour"])
async def test_a_field_that_can_not_be_changed_is_named(house: AuthHouse, owner: Person, path: str) -> None:
    group = await create(house, owner, "g")

    error = await refusal(edit(house, owner, group.server_group_id, [path]))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "update_mask")


async def test_an_organization_has_so_many_groups_at_most(house: AuthHouse, owner: Person) -> None:
    await house.sql(
        "insert into auth.server_groups select gen_random_uuid(), $1, 'g' || n, '', now() "
        "from generate_series(1, $2) as n",
        owner.organization_id,
        MAX_GROUPS,
    )

    assert (await refusal(create(house, owner, "one more"))).kind is Kind.FAILED_PRECONDITION

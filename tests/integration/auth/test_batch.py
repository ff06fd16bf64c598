"""Several servers changed alike, all or none."""

import asyncio
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import options_pb2, servers_pb2
from tests.integration.auth.access.watcher import watching
from tests.integration.auth.house import AuthHouse, Person, refusal
from tests.integration.auth.test_server_groups import create
from tests.integration.auth.test_servers import edit, get, settings
from tests.integration.auth.test_settings import days


async def batch(
    house: AuthHouse,
    person: Person,
    server_ids: list[str],
    paths: list[str] | None = None,
    *,
    settings_paths: list[str] | None = None,
    **fields: Any,
) -> servers_pb2.BatchUpdateServersResponse:
    request = servers_pb2.BatchUpdateServersRequest(
        server_ids=server_ids,
        update_mask=FieldMask(paths=paths or []),
        settings_mask=FieldMask(paths=settings_paths or []),
        **fields,
    )
    return await house.servers.BatchUpdateServers(request, metadata=person.metadata)


async def some(house: AuthHouse, person: Person, count: int = 3) -> list[str]:
    return [(await house.server(person)).server.server_id for _ in range(count)]


async def tags(house: AuthHouse, person: Person, server_ids: list[str]) -> list[list[str]]:
    return [list((await get(house, person, one)).tags) for one in server_ids]


async def test_everything_is_changed_at_once(house: AuthHouse, owner: Person) -> None:
    server_ids = await some(house, owner)
    group_id = (await create(house, owner, "g")).server_group_id

    answer = await batch(
        house,
        owner,
        server_ids[:2],
        ["tags", "category", "server_group_id"],
        server=servers_pb2.Server(tags=["a"], category=servers_pb2.SERVER_CATEGORY_CLOUD, server_group_id=group_id),
        settings_paths=["metric_interval"],
        settings=servers_pb2.ServerSettings(metric_interval=Duration(seconds=60)),
    )

    changed, same = [await get(house, owner, one) for one in server_ids[:2]], await get(house, owner, server_ids[2])
    assert answer.server_count == 2
    assert {(*one.tags, one.category, one.server_group_id) for one in changed} == {
        ("a", servers_pb2.SERVER_CATEGORY_CLOUD, group_id)
    }
    assert (list(same.tags), same.server_group_id) == ([], "")
    assert [(await settings(house, owner, one)).metric_interval.seconds for one in server_ids] == [60, 60, 5]


async def test_tags_are_added_and_removed_beside_those_that_each_has(house: AuthHouse, owner: Person) -> None:
    one, two = await some(house, owner, 2)
    await edit(house, owner, one, ["tags"], tags=["old", "own", "서버"])
    await edit(house, owner, two, ["tags"], tags=["b:2"])

    await batch(house, owner, [one, two], add_tags=["New", "b:1"], remove_tags=["OLD", "none"])

    assert await tags(house, owner, [one, two]) == [["b:1", "new", "own", "서버"], ["b:1", "b:2", "new"]]


async def test_an_override_is_cleared_for_all(house: AuthHouse, owner: Person) -> None:
    server_ids = await some(house, owner, 2)
    made = servers_pb2.ServerSettings(retention_days=7)
    await batch(house, owner, server_ids, settings_paths=["retention_days"], settings=made)

    await batch(house, owner, server_ids, settings_paths=["retention_days"])

    found = [await settings(house, owner, one) for one in server_ids]
    assert {(one.retention_days, one.levels["retention_days"]) for one in found} == {
        (30, servers_pb2.SETTINGS_LEVEL_DEFAULT)
    }


async def test_a_server_named_twice_counts_once(house: AuthHouse, owner: Person) -> None:
    (one,) = await some(house, owner, 1)

    assert (await batch(house, owner, [one, one, one.upper()], add_tags=["a"])).server_count == 1


async def test_one_that_is_foreign_unknown_or_deleted_refuses_the_whole(house: AuthHouse, owner: Person) -> None:
    mine, deleted = await some(house, owner, 2)
    (foreign,) = await some(house, await house.person(), 1)
    await house.servers.DeleteServer(servers_pb2.DeleteServerRequest(server_id=deleted), metadata=owner.metadata)

    errors = [
        await refusal(batch(house, owner, [mine, other], add_tags=["a"]))
        for other in (foreign, deleted, str(new_id()), "x", "")
    ]

    assert {(error.kind, error.public) for error in errors} == {(Kind.NOT_FOUND, "There is no such server.")}
    assert await tags(house, owner, [mine]) == [[]]


async def test_no_server_never_means_all(house: AuthHouse, owner: Person) -> None:
    server_ids = await some(house, owner, 2)

    error = await refusal(batch(house, owner, [], add_tags=["a"]))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "server_ids")
    assert await tags(house, owner, server_ids) == [[], []]


async def test_one_that_can_not_be_changed_leaves_all_as_they_were(house: AuthHouse, owner: Person) -> None:
    one, full = await some(house, owner, 2)
    await edit(house, owner, full, ["tags"], tags=[f"t{number}" for number in range(16)])
    other = await house.person()
    await house.join(owner.user_id, other.organization_id, options_pb2.ROLE_OWNER)
    (elsewhere,) = await some(house, other, 1)
    group_id = (await create(house, owner, "g")).server_group_id
    grouped = servers_pb2.Server(server_group_id=group_id)

    crowded = await refusal(batch(house, owner, [one, full], add_tags=["more"]))
    divided = await refusal(batch(house, owner, [one, elsewhere], ["server_group_id"], server=grouped))

    assert (crowded.kind, crowded.violations[0].field) == (Kind.INVALID_ARGUMENT, "add_tags")
    assert (divided.kind, divided.violations[0].field) == (Kind.INVALID_ARGUMENT, "server.server_group_id")
    assert (list((await get(house, owner, one)).tags), (await get(house, owner, one)).server_group_id) == ([], "")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "update_mask"),
        ({"paths": ["display_name"]}, "update_mask"),
        ({"paths": ["server_id"]}, "update_mask"),
        ({"paths": ["tags"], "add_tags": ["a"]}, "update_mask"),
        ({"settings_paths": ["levels"]}, "settings_mask"),
        (
            {"settings_paths": ["retention_days"], "settings": servers_pb2.ServerSettings(retention_days=0)},
            "settings.retention_days",
        ),
        ({"add_tags": ["a b"]}, "add_tags[0]"),
        ({"remove_tags": [""]}, "remove_tags[0]"),
    ],
)
async def test_a_change_that_can_not_be_is_named(
    house: AuthHouse, owner: Person, fields: dict[str, Any], field: str
) -> None:
    error = await refusal(batch(house, owner, await some(house, owner, 1), **fields))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, field)


async def test_a_thousand_are_changed_and_told_at_once_and_one_more_is_refused(house: AuthHouse, owner: Person) -> None:
    found = await house.sql(
        "insert into auth.servers (server_id, organization_id, display_name, hostname, os_type, os_description, arch, "
        "agent_version, create_time) select gen_random_uuid(), $1, 's', 's', '', '', '', '', now() "
        "from generate_series(1, 1001) returning server_id",
        owner.organization_id,
    )
    server_ids = [str(row["server_id"]) for row in found]
    change: dict[str, Any] = {
        "settings_paths": ["retention_days"],
        "settings": servers_pb2.ServerSettings(retention_days=9),
    }
    async with watching(house) as watcher:
        answer = await batch(house, owner, server_ids[:1000], **change)
        await watcher.until(lambda grants: all(days(grants, one) == 9 for one in server_ids[:1000]), within_s=10)

    error = await refusal(batch(house, owner, server_ids, **change))

    assert answer.server_count == 1000
    assert days(watcher.grants, server_ids[1000]) == 30
    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "server_ids")


async def test_batches_that_overlap_do_not_stop_each_other(house: AuthHouse, owner: Person) -> None:
    server_ids = await some(house, owner, 6)
    orders = [server_ids, server_ids[::-1], server_ids[3:] + server_ids[:3]]

    await asyncio.gather(*(batch(house, owner, order, add_tags=[f"t{n}"]) for n, order in enumerate(orders * 3)))

    assert await tags(house, owner, server_ids) == [[f"t{n}" for n in range(9)]] * 6


@pytest.mark.parametrize("role", [options_pb2.ROLE_VIEWER, options_pb2.ROLE_MEMBER])
async def test_who_is_no_admin_changes_nothing(house: AuthHouse, owner: Person, role: int) -> None:
    server_ids = await some(house, owner, 2)
    person = await house.person(role=role, organization_id=owner.organization_id)

    assert (await refusal(batch(house, person, server_ids, add_tags=["a"]))).kind is Kind.PERMISSION_DENIED

"""Settings that servers inherit from their group and their organization, and who is told of a change."""

from itertools import pairwise
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import Kind
from flick.rpc.access.grants import Grants
from flick.v1 import options_pb2, organizations_pb2, server_groups_pb2, servers_pb2
from tests.integration.auth.access.watcher import watching
from tests.integration.auth.house import AuthHouse, Person, refusal
from tests.integration.auth.test_server_groups import create, delete, put
from tests.integration.auth.test_servers import change, settings

ORGANIZATION = servers_pb2.SETTINGS_LEVEL_ORGANIZATION
GROUP = servers_pb2.SETTINGS_LEVEL_SERVER_GROUP
SERVER = servers_pb2.SETTINGS_LEVEL_SERVER


async def change_group(
    house: AuthHouse, person: Person, group_id: str, paths: list[str], **values: Any
) -> servers_pb2.ServerSettings:
    request = server_groups_pb2.UpdateServerGroupSettingsRequest(
        server_group_id=group_id,
        settings=servers_pb2.ServerSettings(**values),
        update_mask=FieldMask(paths=paths),
    )
    return await house.groups.UpdateServerGroupSettings(request, metadata=person.metadata)


async def change_organization(
    house: AuthHouse, person: Person, paths: list[str], **values: Any
) -> servers_pb2.ServerSettings:
    request = organizations_pb2.UpdateOrganizationSettingsRequest(
        organization_id=str(person.organization_id),
        settings=servers_pb2.ServerSettings(**values),
        update_mask=FieldMask(paths=paths),
    )
    return await house.organizations.UpdateOrganizationSettings(request, metadata=person.metadata)


async def grouped(house: AuthHouse, person: Person, name: str = "group") -> tuple[str, str]:
    """A server in a group of its own: both ids."""
    server_id = (await house.server(person)).server.server_id
    group_id = (await create(house, person, name)).server_group_id
    await put(house, person, server_id, group_id)
    return server_id, group_id


async def test_a_server_inherits_from_its_group_and_that_from_the_organization(house: AuthHouse, owner: Person) -> None:
    server_id, group_id = await grouped(house, owner)
    await change_organization(house, owner, ["retention_days", "processes_enabled"], retention_days=90)
    await change_organization(house, owner, ["processes_enabled"], processes_enabled=False)
    await change_group(house, owner, group_id, ["retention_days"], retention_days=60)
    await change(house, owner, server_id, ["metric_interval"], metric_interval=Duration(seconds=1))

    found = await settings(house, owner, server_id)

    assert (found.retention_days, found.processes_enabled, found.metric_interval.seconds) == (60, False, 1)
    assert [found.levels[name] for name in ("retention_days", "processes_enabled", "metric_interval")] == [
        GROUP,
        ORGANIZATION,
        SERVER,
    ]


async def test_a_setting_that_is_cleared_is_inherited_again(house: AuthHouse, owner: Person) -> None:
    server_id, group_id = await grouped(house, owner)
    await change_group(house, owner, group_id, ["retention_days"], retention_days=60)
    own = await change(house, owner, server_id, ["retention_days"], retention_days=7)
    cleared = await change(house, owner, server_id, ["retention_days"])
    group_cleared = await change_group(house, owner, group_id, ["retention_days"])

    assert (own.retention_days, own.levels["retention_days"]) == (7, SERVER)
    assert (cleared.retention_days, cleared.levels["retention_days"]) == (60, GROUP)
    assert (group_cleared.retention_days, (await settings(house, owner, server_id)).retention_days) == (30, 30)


async def test_groups_and_organizations_tell_what_is_in_effect_there(house: AuthHouse, owner: Person) -> None:
    group_id = (await create(house, owner, "g")).server_group_id
    await change_organization(house, owner, ["retention_days"], retention_days=90)

    group_request = server_groups_pb2.GetServerGroupSettingsRequest(server_group_id=group_id)
    of_group = await house.groups.GetServerGroupSettings(group_request, metadata=owner.metadata)
    request = organizations_pb2.GetOrganizationSettingsRequest(organization_id=str(owner.organization_id))
    of_all = await house.organizations.GetOrganizationSettings(request, metadata=owner.metadata)

    assert of_group == of_all
    assert (of_all.retention_days, of_all.levels["retention_days"]) == (90, ORGANIZATION)


def days(grants: Grants, server_id: str) -> int:
    found = grants.settings(server_id=server_id)
    return found.retention_days if found else 0


async def test_who_inherits_a_change_is_told_at_once_and_nobody_else(house: AuthHouse, owner: Person) -> None:
    server_id, group_id = await grouped(house, owner)
    other_id = (await house.server(owner)).server.server_id
    foreign_id = (await house.server(await house.person())).server.server_id
    async with watching(house) as watcher:
        await change_organization(house, owner, ["retention_days"], retention_days=90)
        await watcher.until(lambda grants: days(grants, server_id) == days(grants, other_id) == 90)

        await change_group(house, owner, group_id, ["retention_days"], retention_days=60)
        await watcher.until(lambda grants: days(grants, server_id) == 60)

        assert (days(watcher.grants, other_id), days(watcher.grants, foreign_id)) == (90, 30)


async def test_a_server_that_changes_its_group_is_told(house: AuthHouse, owner: Person) -> None:
    server_id, group_id = await grouped(house, owner)
    await change_group(house, owner, group_id, ["retention_days"], retention_days=60)
    async with watching(house) as watcher:
        assert days(watcher.grants, server_id) == 60

        await put(house, owner, server_id, "")
        await watcher.until(lambda grants: days(grants, server_id) == 30)
        await put(house, owner, server_id, group_id)
        await watcher.until(lambda grants: days(grants, server_id) == 60)
        await delete(house, owner, group_id)

        await watcher.until(lambda grants: days(grants, server_id) == 30)


async def test_a_change_for_thousands_is_told_whole_and_in_chunks(house: AuthHouse, owner: Person) -> None:
    await house.sql(
        "insert into auth.servers (server_id, organization_id, display_name, hostname, os_type, os_description, arch, "
        "agent_version, create_time) select gen_random_uuid(), $1, 's', 's', '', '', '', '', now() "
        "from generate_series(1, 2500)",
        owner.organization_id,
    )
    async with watching(house) as watcher:
        servers = watcher.grants.servers_in(organization_id=str(owner.organization_id))
        told = len(watcher.revisions)

        await change_organization(house, owner, ["retention_days"], retention_days=90)

        await watcher.until(lambda grants: all(days(grants, one) == 90 for one in servers), within_s=10)
        grown = [later - earlier for earlier, later in pairwise(watcher.revisions[told - 1 :])]
        assert len(servers) == 2500
        assert max(grown) <= 1_000
        assert sum(grown) == 2500


async def test_what_changes_nothing_is_no_change(house: AuthHouse, owner: Person) -> None:
    _, group_id = await grouped(house, owner)
    await change_group(house, owner, group_id, ["retention_days"], retention_days=60)
    before = await house.sql("select revision from auth.access_revision")

    await change_group(house, owner, group_id, ["retention_days"], retention_days=60)

    assert await house.sql("select revision from auth.access_revision") == before


@pytest.mark.parametrize("role", [options_pb2.ROLE_VIEWER, options_pb2.ROLE_MEMBER])
async def test_who_is_no_admin_changes_no_settings(house: AuthHouse, owner: Person, role: int) -> None:
    group_id = (await create(house, owner, "g")).server_group_id
    person = await house.person(role=role, organization_id=owner.organization_id)

    for call in (
        change_group(house, person, group_id, ["retention_days"], retention_days=1),
        change_organization(house, person, ["retention_days"], retention_days=1),
    ):
        assert (await refusal(call)).kind is Kind.PERMISSION_DENIED


async def test_a_setting_out_of_range_is_named_for_groups_and_organizations(house: AuthHouse, owner: Person) -> None:
    group_id = (await create(house, owner, "g")).server_group_id

    for call in (
        change_group(house, owner, group_id, ["retention_days"], retention_days=0),
        change_organization(house, owner, ["retention_days"], retention_days=0),
    ):
        assert (await refusal(call)).violations[0].field == "settings.retention_days"

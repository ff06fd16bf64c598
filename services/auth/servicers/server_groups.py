"""ServerGroupService: groups of servers."""

from uuid import UUID

from flick.clock import Clock, utc
from flick.errors import not_found
from flick.ids import parse_id
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.v1 import options_pb2, server_groups_pb2, server_groups_pb2_grpc, servers_pb2
from services.auth.rules import pages, roles, settings
from services.auth.rules.server_groups import description, display_name, read_change
from services.auth.store.organizations import OrganizationStore
from services.auth.store.server_groups import ServerGroupStore
from services.auth.store.settings import Owner, SettingsStore


class ServerGroupServicer(server_groups_pb2_grpc.ServerGroupServiceServicer):
    """See the contract. Where a request names a group, the caller's role in its organization is checked here."""

    def __init__(
        self, *, store: ServerGroupStore, settings: SettingsStore, organizations: OrganizationStore, clock: Clock
    ) -> None:
        self._store = store
        self._settings = settings
        self._organizations = organizations
        self._clock = clock

    async def ListServerGroups(
        self, request: server_groups_pb2.ListServerGroupsRequest, context: Context
    ) -> server_groups_pb2.ListServerGroupsResponse:
        """See the contract."""
        size = pages.page_size(request.page_size)
        found = await self._store.page(
            user_id=UUID(current_caller().user_id),
            organization_id=parse_id(request.organization_id),
            after=pages.read_name_and_id(request.page_token),
            limit=size + 1,
        )
        page, last = pages.cut(found, size=size)
        return server_groups_pb2.ListServerGroupsResponse(
            server_groups=page,
            next_page_token=pages.write_token(last.display_name, last.server_group_id) if last else "",
        )

    async def GetServerGroup(
        self, request: server_groups_pb2.GetServerGroupRequest, context: Context
    ) -> server_groups_pb2.ServerGroup:
        """See the contract."""
        group_id = await self._checked(request.server_group_id, least=options_pb2.ROLE_VIEWER)
        return _found(await self._store.get(server_group_id=group_id))

    async def CreateServerGroup(
        self, request: server_groups_pb2.CreateServerGroupRequest, context: Context
    ) -> server_groups_pb2.ServerGroup:
        """See the contract."""
        name, note = display_name(request.server_group), description(request.server_group)
        group_id = await self._store.create(
            organization_id=await self._organization(request.organization_id),
            display_name=name,
            description=note,
            now=utc(self._clock),
        )
        return _found(await self._store.get(server_group_id=group_id))

    async def UpdateServerGroup(
        self, request: server_groups_pb2.UpdateServerGroupRequest, context: Context
    ) -> server_groups_pb2.ServerGroup:
        """See the contract."""
        group_id = await self._checked(request.server_group_id, least=options_pb2.ROLE_ADMIN)
        change = read_change(request.server_group, request.update_mask)
        return _found(await self._store.update(server_group_id=group_id, change=change))

    async def DeleteServerGroup(
        self, request: server_groups_pb2.DeleteServerGroupRequest, context: Context
    ) -> server_groups_pb2.DeleteServerGroupResponse:
        """See the contract."""
        group_id = await self._checked(request.server_group_id, least=options_pb2.ROLE_ADMIN)
        await self._store.delete(server_group_id=group_id)
        return server_groups_pb2.DeleteServerGroupResponse()

    async def GetServerGroupSettings(
        self, request: server_groups_pb2.GetServerGroupSettingsRequest, context: Context
    ) -> servers_pb2.ServerSettings:
        """See the contract."""
        group_id = await self._checked(request.server_group_id, least=options_pb2.ROLE_VIEWER)
        return await self._settings.get(Owner.SERVER_GROUP, owner_id=group_id)

    async def UpdateServerGroupSettings(
        self, request: server_groups_pb2.UpdateServerGroupSettingsRequest, context: Context
    ) -> servers_pb2.ServerSettings:
        """See the contract."""
        group_id = await self._checked(request.server_group_id, least=options_pb2.ROLE_ADMIN)
        change = settings.read_change(request.settings, request.update_mask)
        return await self._settings.change(Owner.SERVER_GROUP, owner_id=group_id, change=change)

    async def _checked(self, server_group_id: str, *, least: int) -> UUID:
        """The id of a group in whose organization the caller has the role `least`."""
        parsed = parse_id(server_group_id)
        if parsed is None:
            raise not_found("server group")
        role = await self._store.role_for_group(server_group_id=parsed, user_id=UUID(current_caller().user_id))
        roles.require(role, least=least, subject="server group")
        return parsed

    async def _organization(self, named: str) -> UUID:
        """The organization that the request names, or else the only one of which the caller is admin."""
        if named:
            return UUID(named)
        mine = await self._organizations.roles(user_id=UUID(current_caller().user_id))
        return UUID(roles.only_organization(mine, least=options_pb2.ROLE_ADMIN))


def _found(group: server_groups_pb2.ServerGroup | None) -> server_groups_pb2.ServerGroup:
    if group is None:  # deleted since the caller's role was looked up
        raise not_found("server group")
    return group

"""OrganizationService: the caller's organizations."""

from uuid import UUID

from flick.errors import not_found
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.v1 import organizations_pb2, organizations_pb2_grpc, servers_pb2
from services.auth.rules import names, pages, settings
from services.auth.rules.masks import changed_fields
from services.auth.store.organizations import OrganizationStore
from services.auth.store.settings import Owner, SettingsStore


class OrganizationServicer(organizations_pb2_grpc.OrganizationServiceServicer):
    """See the contract. The access aspect has checked the caller's role in the organization named."""

    def __init__(self, *, store: OrganizationStore, settings: SettingsStore) -> None:
        self._store = store
        self._settings = settings

    async def ListOrganizations(
        self, request: organizations_pb2.ListOrganizationsRequest, context: Context
    ) -> organizations_pb2.ListOrganizationsResponse:
        """See the contract."""
        size = pages.page_size(request.page_size)
        found = await self._store.page(
            user_id=UUID(current_caller().user_id), after=pages.read_id(request.page_token), limit=size + 1
        )
        page, last = pages.cut(found, size=size)
        return organizations_pb2.ListOrganizationsResponse(
            organizations=page, next_page_token=pages.write_token(last.organization_id) if last else ""
        )

    async def GetOrganization(
        self, request: organizations_pb2.GetOrganizationRequest, context: Context
    ) -> organizations_pb2.Organization:
        """See the contract."""
        return _found(await self._store.get(organization_id=UUID(request.organization_id)))

    async def UpdateOrganization(
        self, request: organizations_pb2.UpdateOrganizationRequest, context: Context
    ) -> organizations_pb2.Organization:
        """See the contract."""
        changed_fields(
            request.update_mask,
            changeable=("display_name",),
            message=organizations_pb2.Organization.DESCRIPTOR,
        )
        name = names.display_name(request.organization.display_name, field="organization.display_name")
        return _found(await self._store.rename(organization_id=UUID(request.organization_id), display_name=name))

    async def GetOrganizationSettings(
        self, request: organizations_pb2.GetOrganizationSettingsRequest, context: Context
    ) -> servers_pb2.ServerSettings:
        """See the contract."""
        return await self._settings.get(Owner.ORGANIZATION, owner_id=UUID(request.organization_id))

    async def UpdateOrganizationSettings(
        self, request: organizations_pb2.UpdateOrganizationSettingsRequest, context: Context
    ) -> servers_pb2.ServerSettings:
        """See the contract."""
        change = settings.read_change(request.settings, request.update_mask)
        return await self._settings.change(Owner.ORGANIZATION, owner_id=UUID(request.organization_id), change=change)


def _found(organization: organizations_pb2.Organization | None) -> organizations_pb2.Organization:
    if organization is None:
        raise not_found("organization")
    return organization

"""The caller's organizations."""

from functools import partial

from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import options_pb2, organizations_pb2
from tests.integration.auth.house import AuthHouse, Person, refusal


async def rename(house: AuthHouse, person: Person, organization_id: str, name: str) -> organizations_pb2.Organization:
    request = organizations_pb2.UpdateOrganizationRequest(
        organization_id=organization_id,
        organization=organizations_pb2.Organization(display_name=name),
        update_mask=FieldMask(paths=["display_name"]),
    )
    return await house.organizations.UpdateOrganization(request, metadata=person.metadata)


async def get(house: AuthHouse, person: Person, organization_id: str) -> organizations_pb2.Organization:
    request = organizations_pb2.GetOrganizationRequest(organization_id=organization_id)
    return await house.organizations.GetOrganization(request, metadata=person.metadata)


async def test_only_the_callers_organizations_are_listed_oldest_first(house: AuthHouse, owner: Person) -> None:
    further = [await house.organization() for _ in range(2)]
    for organization_id in reversed(further):
        await house.join(owner.user_id, organization_id, options_pb2.ROLE_VIEWER)
    await house.organization()

    listed, token = [], ""
    for _ in range(2):
        request = organizations_pb2.ListOrganizationsRequest(page_size=2, page_token=token)
        page = await house.organizations.ListOrganizations(request, metadata=owner.metadata)
        listed += [one.organization_id for one in page.organizations]
        token = page.next_page_token

    assert listed == [str(owner.organization_id), *map(str, further)]
    assert token == ""


async def test_an_admin_renames_the_organization(house: AuthHouse, owner: Person) -> None:
    renamed = await rename(house, owner, str(owner.organization_id), "우리 회사")

    assert renamed.display_name == "우리 회사"
    assert await get(house, owner, str(owner.organization_id)) == renamed


async def test_a_viewer_sees_the_organization_and_may_not_rename_it(house: AuthHouse, owner: Person) -> None:
    viewer = await house.person(role=options_pb2.ROLE_VIEWER, organization_id=owner.organization_id)

    assert (await get(house, viewer, str(owner.organization_id))).organization_id == str(owner.organization_id)
    error = await refusal(rename(house, viewer, str(owner.organization_id), "x"))
    assert error.kind is Kind.PERMISSION_DENIED


async def test_a_foreign_organization_answers_as_an_unknown_one(house: AuthHouse, owner: Person) -> None:
    foreign = str(await house.organization())

    answers = [
        await refusal(call(organization_id=organization_id))
        for organization_id in (foreign, str(new_id()), "x")
        for call in (partial(get, house, owner), partial(rename, house, owner, name="x"))
    ]

    assert {(error.kind, error.public) for error in answers} == {(Kind.NOT_FOUND, "There is no such organization.")}

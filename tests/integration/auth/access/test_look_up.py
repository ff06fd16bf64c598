"""Access is looked up by name while a stream is broken, by services only."""

from flick.errors import Kind
from flick.ids import new_id
from flick.rpc.access.grants import Grants
from flick.v1 import access_pb2
from tests.integration.auth.access.watcher import STREAM, key_of, revision, revoke
from tests.integration.auth.house import AuthHouse, Person, refusal


async def test_access_is_looked_up_by_what_is_named(house: AuthHouse, owner: Person) -> None:
    joined, other = await house.server(owner), await house.server(owner)
    stranger = await house.person()

    async def ask(**fields: list[str]) -> Grants:
        answer = await house.access.LookUpAccess(
            access_pb2.LookUpAccessRequest(**fields), metadata=house.service_metadata()
        )
        assert answer.revision == await revision(house)
        grants = Grants()
        grants.replace(answer.granted)
        return grants

    organization_id = str(owner.organization_id)
    by_user = await ask(user_ids=[str(owner.user_id), str(new_id()), "x"])
    assert by_user.organizations_of(user_id=str(owner.user_id)) == [organization_id]
    assert by_user.organizations_of(user_id=str(stranger.user_id)) == []
    by_server = await ask(server_ids=[joined.server.server_id])
    assert by_server.servers_in(organization_id=organization_id) == [joined.server.server_id]
    by_organization = await ask(organization_ids=[organization_id])
    assert set(by_organization.servers_in(organization_id=organization_id)) == {
        joined.server.server_id,
        other.server.server_id,
    }
    assert (await ask(key_ids=[key_of(joined)])).agent_key(key_id=key_of(joined)) is not None
    await revoke(house, owner, joined)
    assert (await ask(key_ids=[key_of(joined)])).agent_key(key_id=key_of(joined)) is None


async def test_who_is_no_service_learns_nothing(house: AuthHouse, owner: Person) -> None:
    look_up = await refusal(house.access.LookUpAccess(access_pb2.LookUpAccessRequest(), metadata=owner.metadata))
    watch = await refusal(house.access.WatchAccess(STREAM, metadata=owner.metadata).read())

    assert look_up.kind is watch.kind is Kind.PERMISSION_DENIED

"""Which servers a filter matches, for the services that don't know of tags and groups."""

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import access_pb2, options_pb2
from tests.integration.auth.house import AuthHouse, Person, refusal
from tests.integration.auth.test_servers import edit


async def find(house: AuthHouse, *, service: str = "query", **fields: str) -> list[str]:
    request = access_pb2.FindServersRequest(**fields)
    answer = await house.access.FindServers(request, metadata=house.service_metadata(service))
    return list(answer.server_ids)


async def test_a_users_servers_are_found_by_filter_and_organization(house: AuthHouse, owner: Person) -> None:
    other = await house.person()
    await house.join(owner.user_id, other.organization_id, options_pb2.ROLE_VIEWER)
    mine, plain, theirs = [(await house.server(person)).server.server_id for person in (owner, owner, other)]
    foreign = (await house.server(await house.person())).server.server_id
    for server_id, person in ((mine, owner), (theirs, other)):
        await edit(house, person, server_id, ["tags"], tags=["web"])
    user_id = str(owner.user_id)

    assert await find(house, user_id=user_id, filter="tags:web") == sorted([mine, theirs])
    assert await find(house, user_id=user_id, filter="tags:web", organization_id=str(other.organization_id)) == [theirs]
    assert await find(house, user_id=user_id) == sorted([mine, plain, theirs])
    assert foreign not in await find(house, user_id=user_id, filter="NOT tags:x")


async def test_nobody_and_nowhere_have_no_servers(house: AuthHouse, owner: Person) -> None:
    await house.server(owner)
    user_id = str(owner.user_id)

    for fields in ({"user_id": ""}, {"user_id": "x"}, {"user_id": str(new_id())}):
        assert await find(house, **fields) == []
    for organization_id in ("x", str(new_id())):
        assert await find(house, user_id=user_id, organization_id=organization_id) == []


async def test_only_query_may_ask_and_a_wrong_filter_is_told(house: AuthHouse, owner: Person) -> None:
    user_id = str(owner.user_id)

    denied = await refusal(find(house, service="ingest", user_id=user_id))
    wrong = await refusal(find(house, user_id=user_id, filter="colour=red"))

    assert denied.kind is Kind.PERMISSION_DENIED
    assert (wrong.kind, wrong.violations[0].field) == (Kind.INVALID_ARGUMENT, "filter")

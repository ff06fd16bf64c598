"""How long samples are kept, for ingest, which takes them away: every server is told, also a deleted one."""

import pytest

from flick.errors import Kind
from flick.v1 import access_pb2, servers_pb2
from tests.integration.auth.house import AuthHouse, Person, refusal
from tests.integration.auth.test_servers import change
from tests.integration.auth.test_settings import change_organization, grouped


async def retentions(house: AuthHouse, *, page_size: int = 0) -> dict[str, access_pb2.ServerRetention]:
    """All pages."""
    found: dict[str, access_pb2.ServerRetention] = {}
    token = ""
    while True:
        request = access_pb2.ListRetentionsRequest(page_size=page_size, page_token=token)
        answer = await house.access.ListRetentions(request, metadata=house.service_metadata("ingest"))
        assert not found.keys() & {one.server_id for one in answer.servers}
        found |= {one.server_id: one for one in answer.servers}
        token = answer.next_page_token
        if not token:
            return found


@pytest.mark.parametrize("page_size", [0, 1, 2])
async def test_every_server_is_told_with_what_it_inherits_and_deleted_ones_are_told_as_such(
    house: AuthHouse, owner: Person, page_size: int
) -> None:
    other = await house.person()
    plain = (await house.server(other)).server.server_id
    inheriting, own, deleted = [(await grouped(house, owner, f"group {number}"))[0] for number in range(3)]
    await change_organization(house, owner, ["retention_days"], retention_days=90)
    await change(house, owner, own, ["retention_days"], retention_days=7)
    await house.servers.DeleteServer(servers_pb2.DeleteServerRequest(server_id=deleted), metadata=owner.metadata)

    found = await retentions(house, page_size=page_size)

    days = {server_id: one.retention_days for server_id, one in found.items()}
    assert days.items() >= {plain: 30, inheriting: 90, own: 7, deleted: 0}.items()
    assert [one for one in (plain, inheriting, own, deleted) if found[one].HasField("delete_time")] == [deleted]


async def test_only_ingest_may_ask_and_a_page_that_is_none_is_refused(house: AuthHouse, owner: Person) -> None:
    async def ask(service: str, **fields: object) -> object:
        request = access_pb2.ListRetentionsRequest(**fields)  # type: ignore[arg-type]
        return await house.access.ListRetentions(request, metadata=house.service_metadata(service))

    denied = await refusal(ask("query"))
    large = await refusal(ask("ingest", page_size=10_001))
    wrong = await refusal(ask("ingest", page_token="x"))

    assert denied.kind is Kind.PERMISSION_DENIED
    assert (large.kind, large.violations[0].field) == (Kind.INVALID_ARGUMENT, "page_size")
    assert (wrong.kind, wrong.violations[0].field) == (Kind.INVALID_ARGUMENT, "page_token")

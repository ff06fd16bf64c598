"""The stream of access when there is much to tell, or too much."""

from uuid import UUID

import grpc
import pytest

from flick.errors import Kind
from flick.ids import new_id
from flick.rpc.status import from_rpc_error
from flick.v1 import access_pb2
from tests.integration.auth.access.watcher import STREAM, revision, watching
from tests.integration.auth.house import AuthHouse, Person


async def test_a_stream_that_fell_behind_is_ended_to_start_anew(house: AuthHouse, owner: Person) -> None:
    async with watching(house) as watcher:
        await house.sql(
            """
            with gone as (update auth.access_revision set revision = revision + 5 returning revision)
            select pg_notify('auth_access', '') from gone
            """
        )

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watcher.until(lambda _: False, within_s=5)

    assert from_rpc_error(caught.value).kind is Kind.ABORTED
    async with watching(house) as again:
        assert again.revisions[-1] == await revision(house)


async def test_a_large_installation_comes_in_chunks(house: AuthHouse, owner: Person) -> None:
    users = [new_id() for _ in range(2_500)]
    await add_members(house, owner.organization_id, users)
    call = house.access.WatchAccess(STREAM, metadata=house.service_metadata())
    messages: list[access_pb2.WatchAccessResponse] = []
    while not messages or not messages[-1].snapshot_complete:
        message = await call.read()
        assert isinstance(message, access_pb2.WatchAccessResponse)
        messages.append(message)
    call.cancel()

    assert max(len(message.granted) for message in messages) <= 1_000
    told = {entry.membership.user_id for message in messages for entry in message.granted}
    assert told >= set(map(str, users))
    assert len({message.revision for message in messages}) == 1


async def test_a_flood_of_changes_is_told_whole(house: AuthHouse, owner: Person) -> None:
    users = [new_id() for _ in range(2_500)]
    async with watching(house) as watcher:
        await add_members(house, owner.organization_id, users)

        organization_id = str(owner.organization_id)
        await watcher.until(
            lambda grants: all(grants.role(user_id=str(user), organization_id=organization_id) for user in users),
            within_s=10,
        )


async def add_members(house: AuthHouse, organization_id: UUID, users: list[UUID]) -> None:
    await house.sql(
        "insert into auth.users select id, id || '@example.org', 'x', now() from unnest($1::uuid[]) as id", users
    )
    await house.sql(
        "insert into auth.memberships select $1, id, 1, now() from unnest($2::uuid[]) as id", organization_id, users
    )

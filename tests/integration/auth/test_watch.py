"""What the other services learn of access, and how soon."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from flick.clock import SystemClock
from flick.errors import Kind
from flick.ids import new_id
from flick.rpc.access.grants import Grants
from flick.rpc.access.watch import AccessWatch
from flick.rpc.client import open_channel
from flick.rpc.identity import ServiceIdentity
from flick.rpc.status import from_rpc_error
from flick.tokens import AGENT_KEY_PREFIX, parse_opaque
from flick.v1 import access_pb2, access_pb2_grpc, auth_pb2_grpc, options_pb2, servers_pb2
from tests.databases import DatabaseServer
from tests.integration.auth.house import AuthHouse, Person, auth_house, refusal
from tests.waiting import until

TOLD_WITHIN_S = 1.5
STREAM = access_pb2.WatchAccessRequest()


class Watcher:
    """A stream, and what it has told so far."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.grants = Grants()
        self.revisions: list[int] = []

    async def snapshot(self) -> list[access_pb2.AccessEntry]:
        entries: list[access_pb2.AccessEntry] = []
        while True:
            message = await self.read()
            entries += message.granted
            if message.snapshot_complete:
                self.grants.replace(entries)
                return entries

    async def read(self, *, within_s: float = 5.0) -> access_pb2.WatchAccessResponse:
        async with asyncio.timeout(within_s):
            message = await self._call.read()
        if not isinstance(message, access_pb2.WatchAccessResponse):
            raise EOFError
        self.revisions.append(message.revision)
        return message

    async def until(self, holds: Any, *, within_s: float = TOLD_WITHIN_S) -> None:
        """Follow until the grants are as wanted."""
        async with asyncio.timeout(within_s):
            while not holds(self.grants):
                message = await self.read()
                for entry in message.revoked:
                    self.grants.revoke(entry)
                for entry in message.granted:
                    self.grants.grant(entry)


@asynccontextmanager
async def watching(house: AuthHouse, service: str = "ingest") -> AsyncIterator[Watcher]:
    call = house.access.WatchAccess(STREAM, metadata=house.service_metadata(service))
    try:
        watcher = Watcher(call)
        await watcher.snapshot()
        yield watcher
    finally:
        call.cancel()


def key_of(joined: Any) -> str:
    return str(parse_opaque(joined.agent_key, prefix=AGENT_KEY_PREFIX).id)  # type: ignore[union-attr]


async def revoke(house: AuthHouse, person: Person, joined: Any) -> None:
    request = servers_pb2.RevokeAgentKeyRequest(server_id=joined.server.server_id, key_id=key_of(joined))
    await house.servers.RevokeAgentKey(request, metadata=person.metadata)


async def test_the_stream_begins_with_everything(house: AuthHouse, owner: Person) -> None:
    joined = await house.server(owner)
    server_id = joined.server.server_id

    async with watching(house) as watcher:
        grants = watcher.grants

    organization_id = str(owner.organization_id)
    assert grants.role(user_id=str(owner.user_id), organization_id=organization_id) == options_pb2.ROLE_OWNER
    assert grants.organization_of(server_id=server_id) == organization_id
    settings = grants.settings(server_id=server_id)
    assert settings is not None
    assert settings.metric_interval.seconds == 5
    key = grants.agent_key(key_id=key_of(joined))
    parsed = parse_opaque(joined.agent_key, prefix=AGENT_KEY_PREFIX)
    assert key is not None
    assert parsed is not None
    assert (key.server_id, key.secret_sha256) == (server_id, parsed.secret_sha256)


async def test_a_revocation_reaches_every_watcher_at_once(house: AuthHouse, owner: Person) -> None:
    joined = await house.server(owner)
    async with watching(house) as one, watching(house, "query") as two:
        await revoke(house, owner, joined)

        for watcher in (one, two):
            await watcher.until(lambda grants: grants.agent_key(key_id=key_of(joined)) is None)


async def test_a_new_server_its_settings_and_its_end_are_told(house: AuthHouse, owner: Person) -> None:
    async with watching(house) as watcher:
        joined = await house.server(owner)
        server_id = joined.server.server_id
        await watcher.until(lambda grants: grants.agent_key(key_id=key_of(joined)) is not None)
        request = servers_pb2.UpdateServerSettingsRequest(
            server_id=server_id,
            settings=servers_pb2.ServerSettings(retention_days=3),
            update_mask=FieldMask(paths=["retention_days"]),
        )

        await house.servers.UpdateServerSettings(request, metadata=owner.metadata)
        await watcher.until(lambda grants: grants.settings(server_id=server_id).retention_days == 3)
        await house.servers.DeleteServer(servers_pb2.DeleteServerRequest(server_id=server_id), metadata=owner.metadata)

        await watcher.until(lambda grants: grants.organization_of(server_id=server_id) is None)
        await watcher.until(lambda grants: grants.agent_key(key_id=key_of(joined)) is None)


async def test_even_what_is_changed_behind_the_services_back_is_told(house: AuthHouse, owner: Person) -> None:
    def role(grants: Grants) -> int:
        return grants.role(user_id=str(owner.user_id), organization_id=str(owner.organization_id))

    async with watching(house) as watcher:
        await house.sql("update auth.memberships set role = 1 where user_id = $1", owner.user_id)
        await watcher.until(lambda grants: role(grants) == options_pb2.ROLE_VIEWER)

        await house.sql("delete from auth.memberships where user_id = $1", owner.user_id)

        await watcher.until(lambda grants: role(grants) == options_pb2.ROLE_UNSPECIFIED)


async def test_a_change_of_name_is_no_change_of_access(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    before = await revision(house)

    await house.sql("update auth.servers set display_name = 'x' where server_id = $1", server_id)
    await house.sql("update auth.server_settings set retention_days = 30 where server_id = $1", server_id)

    assert await revision(house) == before


async def revision(house: AuthHouse) -> int:
    return int((await house.sql("select revision from auth.access_revision"))[0]["revision"])


async def test_the_stream_speaks_every_two_seconds(house: AuthHouse) -> None:
    async with watching(house) as watcher:
        for _ in range(3):
            message = await watcher.read(within_s=2.0)

            assert not message.granted
            assert not message.revoked


async def test_revisions_never_go_back_and_end_where_the_database_is(house: AuthHouse, owner: Person) -> None:
    async with watching(house) as watcher:
        joined = [await house.server(owner) for _ in range(5)]
        await asyncio.gather(*(revoke(house, owner, one) for one in joined))
        keys = [key_of(one) for one in joined]
        await watcher.until(
            lambda grants: all(
                grants.organization_of(server_id=one.server.server_id) and grants.agent_key(key_id=key) is None
                for one, key in zip(joined, keys, strict=True)
            )
        )

        assert watcher.revisions == sorted(watcher.revisions)
        assert watcher.revisions[-1] == await revision(house)


async def test_what_a_process_changes_the_watchers_of_another_learn(
    house: AuthHouse, owner: Person, tmp_path: Path
) -> None:
    (tmp_path / "keys").symlink_to(house.config.signing_keys_dir)
    joined = await house.server(owner)
    async with (
        auth_house(database_url=house.config.database_url, owner_url=house.owner_url, folder=tmp_path) as other,
        watching(other) as watcher,
    ):
        await revoke(house, owner, joined)

        await watcher.until(lambda grants: grants.agent_key(key_id=key_of(joined)) is None)


async def test_without_notifications_changes_are_told_all_the_same(house: AuthHouse, owner: Person) -> None:
    joined = await house.server(owner)
    async with watching(house) as watcher:
        ended = await house.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'flick-auth-bell'",
            as_service=True,
        )
        assert ended
        await revoke(house, owner, joined)

        await watcher.until(lambda grants: grants.agent_key(key_id=key_of(joined)) is None, within_s=3)


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


async def test_the_other_services_watch_follows_with_its_own_identity(house: AuthHouse, owner: Person) -> None:
    joined = await house.server(owner)
    server_id = joined.server.server_id
    async with open_channel(house.address) as channel:
        identity = ServiceIdentity(
            auth=auth_pb2_grpc.AuthServiceStub(channel),
            service="ingest",
            secret=house.secrets["ingest"],
            audience="auth",
            clock=SystemClock(),
        )
        watch = AccessWatch(stub=access_pb2_grpc.AccessServiceStub(channel), identity=identity, clock=SystemClock())
        async with watch.running():
            await until(lambda: watch.fresh)
            assert await watch.servers_of(user_id=str(owner.user_id)) == [server_id]
            with watch.listen(server_id=server_id) as changed:
                await revoke(house, owner, joined)
                async with asyncio.timeout(TOLD_WITHIN_S):
                    await changed.wait()

            assert watch.fresh
            assert await watch.agent_key(key_id=key_of(joined)) is None


async def test_a_stopping_auth_ends_its_streams_within_a_moment(
    postgres: DatabaseServer, empty_database: str, tmp_path: Path
) -> None:
    urls = {
        "database_url": postgres.url(database=empty_database, role="flick_auth"),
        "owner_url": postgres.url(database=empty_database),
    }
    async with auth_house(**urls, folder=tmp_path) as house:
        call = house.access.WatchAccess(STREAM, metadata=house.service_metadata())
        watcher = Watcher(call)
        await watcher.snapshot()
        began = time.monotonic()

    assert time.monotonic() - began < 3

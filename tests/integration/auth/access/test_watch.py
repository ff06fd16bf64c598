"""What the other services learn of access, and how soon."""

import asyncio
import time
from pathlib import Path

from google.protobuf.field_mask_pb2 import FieldMask

from flick.clock import SystemClock
from flick.rpc.access.grants import Grants
from flick.rpc.access.watch import AccessWatch
from flick.rpc.client import open_channel
from flick.rpc.identity import ServiceIdentity
from flick.tokens import AGENT_KEY_PREFIX, parse_opaque
from flick.v1 import access_pb2_grpc, auth_pb2_grpc, options_pb2, servers_pb2
from tests.databases import DatabaseServer
from tests.integration.auth.access.watcher import STREAM, TOLD_WITHIN_S, Watcher, key_of, revision, revoke, watching
from tests.integration.auth.house import AuthHouse, Person, auth_house
from tests.waiting import until


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
    await house.sql("update auth.server_settings set retention_days = retention_days where server_id = $1", server_id)

    assert await revision(house) == before


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
            changed = asyncio.Event()
            with watch.listen(changed.set, server_id=server_id):
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

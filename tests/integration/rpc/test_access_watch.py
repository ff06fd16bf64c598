"""The watch of auth against a real server whose servicer the test scripts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from flick.clock import SystemClock
from flick.errors import FlickError, Kind
from flick.ids import new_id
from flick.rpc.access.watch import DOUBTS_AT_ONCE, DOUBTS_PER_S, STALE_AFTER_S, AccessWatch
from flick.rpc.client import open_channel
from flick.rpc.identity import ServiceIdentity
from flick.v1 import access_pb2, access_pb2_grpc, auth_pb2, auth_pb2_grpc, options_pb2
from tests.waiting import until

USER, ORGANIZATION, SERVER, KEY = (str(new_id()) for _ in range(4))
MEMBERSHIP = access_pb2.AccessEntry(
    membership=access_pb2.MembershipEntry(user_id=USER, organization_id=ORGANIZATION, role=options_pb2.ROLE_MEMBER)
)
SERVER_ENTRY = access_pb2.AccessEntry(server=access_pb2.ServerEntry(server_id=SERVER, organization_id=ORGANIZATION))
KEY_ENTRY = access_pb2.AccessEntry(
    agent_key=access_pb2.AgentKeyEntry(key_id=KEY, server_id=SERVER, organization_id=ORGANIZATION, secret_sha256=b"x")
)


class ShiftedClock(SystemClock):
    """The system's clock, some seconds ahead."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


class Auth(access_pb2_grpc.AccessServiceServicer, auth_pb2_grpc.AuthServiceServicer):
    """Auth as far as a watch needs it. Messages are sent as the test puts them; look-ups answer `granted`."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[access_pb2.WatchAccessResponse] = asyncio.Queue()
        self.granted: list[access_pb2.AccessEntry] = []
        self.look_ups = 0

    async def IssueServiceToken(self, request: Any, context: Any) -> Any:
        return auth_pb2.IssueServiceTokenResponse(token="t", expires_in=300)

    async def WatchAccess(self, request: Any, context: Any) -> AsyncIterator[Any]:
        while True:
            yield await self.messages.get()

    async def LookUpAccess(self, request: Any, context: Any) -> Any:
        self.look_ups += 1
        return access_pb2.LookUpAccessResponse(granted=self.granted)


@asynccontextmanager
async def watching(auth: Auth, clock: ShiftedClock) -> AsyncIterator[AccessWatch]:
    server = grpc.aio.server()
    access_pb2_grpc.add_AccessServiceServicer_to_server(auth, server)
    auth_pb2_grpc.add_AuthServiceServicer_to_server(auth, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        identity = ServiceIdentity(
            auth=auth_pb2_grpc.AuthServiceStub(channel), service="query", secret="s", audience="auth", clock=clock
        )
        watch = AccessWatch(stub=access_pb2_grpc.AccessServiceStub(channel), identity=identity, clock=clock)
        async with watch.running():
            yield watch
    await server.stop(None)


def make_auth() -> Auth:
    return Auth()  # type: ignore[abstract]  # the methods that no test calls answer UNIMPLEMENTED


async def test_the_copy_is_used_once_it_is_whole() -> None:
    auth, clock = make_auth(), ShiftedClock()
    async with watching(auth, clock) as watch:
        auth.messages.put_nowait(access_pb2.WatchAccessResponse(granted=[MEMBERSHIP]))
        auth.messages.put_nowait(access_pb2.WatchAccessResponse(granted=[SERVER_ENTRY], snapshot_complete=True))
        await until(lambda: watch.fresh)

        assert await watch.role(user_id=USER, organization_id=ORGANIZATION) == options_pb2.ROLE_MEMBER
        assert await watch.organizations_of(server_ids=[SERVER]) == {SERVER: ORGANIZATION}
        assert await watch.servers_of(user_id=USER) == [SERVER]
        assert await watch.servers_of(user_id=USER, organization_id=str(new_id())) == []
        assert auth.look_ups == 0


async def test_a_revoked_key_is_gone_and_its_listener_is_told() -> None:
    auth, clock = make_auth(), ShiftedClock()
    async with watching(auth, clock) as watch:
        auth.messages.put_nowait(
            access_pb2.WatchAccessResponse(granted=[SERVER_ENTRY, KEY_ENTRY], snapshot_complete=True)
        )
        await until(lambda: watch.fresh)
        changed = asyncio.Event()
        with watch.listen(changed.set, server_id=SERVER):
            auth.messages.put_nowait(access_pb2.WatchAccessResponse(revoked=[KEY_ENTRY]))
            await asyncio.wait_for(changed.wait(), timeout=5)

        assert await watch.agent_key(key_id=KEY) is None


async def test_of_several_keys_those_that_exist_are_found_at_once() -> None:
    auth, clock = make_auth(), ShiftedClock()
    async with watching(auth, clock) as watch:
        auth.granted = [KEY_ENTRY]
        found = await watch.agent_keys(key_ids=[KEY, str(new_id())])

    assert list(found) == [KEY]
    assert auth.look_ups == 1


async def test_a_key_that_is_younger_than_the_copy_is_known() -> None:
    auth, clock = make_auth(), ShiftedClock()
    async with watching(auth, clock) as watch:
        auth.messages.put_nowait(access_pb2.WatchAccessResponse(snapshot_complete=True))
        await until(lambda: watch.fresh)
        auth.granted = [SERVER_ENTRY, KEY_ENTRY]
        key, settings = await watch.agent_key(key_id=KEY), await watch.settings(server_id=SERVER)

    assert key is not None
    assert key.server_id == SERVER
    assert settings is not None


async def test_unknown_keys_do_not_become_a_load_on_auth() -> None:
    auth, clock = make_auth(), ShiftedClock()
    async with watching(auth, clock) as watch:
        auth.messages.put_nowait(access_pb2.WatchAccessResponse(snapshot_complete=True))
        await until(lambda: watch.fresh)
        began_s = clock.monotonic_s()
        for _ in range(500):
            assert await watch.agent_key(key_id=str(new_id())) is None
        allowed = DOUBTS_AT_ONCE + DOUBTS_PER_S * (clock.monotonic_s() - began_s)

    assert 1 <= auth.look_ups <= allowed + 1


async def test_a_stale_copy_is_not_trusted_and_auth_is_asked_on_each_call() -> None:
    auth, clock = make_auth(), ShiftedClock()
    async with watching(auth, clock) as watch:
        auth.messages.put_nowait(access_pb2.WatchAccessResponse(granted=[KEY_ENTRY], snapshot_complete=True))
        await until(lambda: watch.fresh)
        known = await watch.agent_key(key_id=KEY)
        clock.ahead_s = STALE_AFTER_S + 1

        assert known is not None
        assert await watch.agent_key(key_id=KEY) is None
        assert auth.look_ups == 1


async def test_while_auth_is_silent_access_can_not_be_checked() -> None:
    clock = ShiftedClock()
    async with open_channel("unix:/nonexistent/auth.sock") as channel:
        identity = ServiceIdentity(
            auth=auth_pb2_grpc.AuthServiceStub(channel), service="query", secret="s", audience="auth", clock=clock
        )
        watch = AccessWatch(stub=access_pb2_grpc.AccessServiceStub(channel), identity=identity, clock=clock)
        with pytest.raises(FlickError) as refusal:
            await watch.role(user_id=USER, organization_id=ORGANIZATION)

    assert refusal.value.kind is Kind.UNAVAILABLE

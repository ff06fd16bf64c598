"""What services other than auth know of access: a copy kept fresh by `WatchAccess`, or asked for on each call."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import TypeVar

import grpc

from flick.clock import Clock
from flick.errors import FlickError, Kind, unavailable
from flick.lifecycle import background
from flick.rpc.access.grants import Grants
from flick.rpc.access.source import AgentKey
from flick.rpc.identity import ServiceIdentity
from flick.rpc.status import from_rpc_error
from flick.v1 import access_pb2, access_pb2_grpc, servers_pb2

STALE_AFTER_S = 5.0  # auth sends something at least every 2 s
LOOK_UP_TIMEOUT_S = 2.0
REPORT_TIMEOUT_S = 10.0  # nobody waits for it
RETRY_S = 1.0
DOUBTS_AT_ONCE = 20.0
DOUBTS_PER_S = 20.0

T = TypeVar("T")

logger = logging.getLogger(__name__)


class AccessWatch:
    """An `AccessSource` over auth's stream; while that is broken it asks auth on each call."""

    def __init__(
        self, *, stub: "access_pb2_grpc.AccessServiceAsyncStub", identity: ServiceIdentity, clock: Clock
    ) -> None:
        self._stub = stub
        self._identity = identity
        self._clock = clock
        self._grants = Grants()
        self._heard_at_s = float("-inf")
        self._doubts = DOUBTS_AT_ONCE
        self._doubts_at_s = clock.monotonic_s()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["AccessWatch"]:
        """Keep the copy fresh while entered."""
        async with background(self._run(), name="access-watch"):
            yield self

    @property
    def fresh(self) -> bool:
        """Whether the copy shows what auth knew at most `STALE_AFTER_S` seconds ago."""
        return self._clock.monotonic_s() - self._heard_at_s <= STALE_AFTER_S

    async def role(self, *, user_id: str, organization_id: str) -> int:
        """See `flick.rpc.access.source.AccessSource`."""
        grants = await self._look_up(access_pb2.LookUpAccessRequest(user_ids=[user_id]))
        return grants.role(user_id=user_id, organization_id=organization_id)

    async def organizations_of(self, *, server_ids: Sequence[str]) -> Mapping[str, str]:
        """See `flick.rpc.access.source.AccessSource`."""
        grants = await self._look_up(access_pb2.LookUpAccessRequest(server_ids=server_ids))
        found = {server_id: grants.organization_of(server_id=server_id) for server_id in server_ids}
        return {server_id: organization_id for server_id, organization_id in found.items() if organization_id}

    async def agent_key(self, *, key_id: str) -> AgentKey | None:
        """See `flick.rpc.access.source.AccessSource`."""
        request = access_pb2.LookUpAccessRequest(key_ids=[key_id])
        return await self._find(request, lambda grants: grants.agent_key(key_id=key_id))

    async def agent_keys(self, *, key_ids: Sequence[str]) -> Mapping[str, AgentKey]:
        """Several keys by id; those that do not exist or are revoked are left out."""
        grants = await self._look_up(access_pb2.LookUpAccessRequest(key_ids=key_ids))
        found = {key_id: grants.agent_key(key_id=key_id) for key_id in key_ids}
        return {key_id: key for key_id, key in found.items() if key is not None}

    async def settings(self, *, server_id: str) -> servers_pb2.ServerSettings | None:
        """The server's settings, or None when there is no such server."""
        request = access_pb2.LookUpAccessRequest(server_ids=[server_id])
        return await self._find(request, lambda grants: grants.settings(server_id=server_id))

    async def settings_of(self, *, server_ids: Sequence[str]) -> Mapping[str, servers_pb2.ServerSettings]:
        """The settings of several servers by id; those that do not exist are left out."""
        grants = await self._look_up(access_pb2.LookUpAccessRequest(server_ids=server_ids))
        found = {server_id: grants.settings(server_id=server_id) for server_id in server_ids}
        return {server_id: settings for server_id, settings in found.items() if settings is not None}

    async def servers_of(self, *, user_id: str, organization_id: str = "") -> list[str]:
        """The ids of the servers in the user's organizations, or in one of them."""
        grants = await self._look_up(access_pb2.LookUpAccessRequest(user_ids=[user_id]))
        organizations = [one for one in grants.organizations_of(user_id=user_id) if organization_id in ("", one)]
        grants = await self._look_up(access_pb2.LookUpAccessRequest(organization_ids=organizations))
        return [server for one in organizations for server in grants.servers_in(organization_id=one)]

    async def organizations_where(self, *, user_id: str, role: int) -> list[str]:
        """The organizations in which the user has at least that role."""
        grants = await self._look_up(access_pb2.LookUpAccessRequest(user_ids=[user_id]))
        return [
            one
            for one in grants.organizations_of(user_id=user_id)
            if grants.role(user_id=user_id, organization_id=one) >= role
        ]

    async def find_servers(self, *, user_id: str, organization_id: str, filter_text: str) -> Sequence[str]:
        """The ids of those of the user's servers that a filter matches. Only auth knows, so it is always asked.

        Raises INVALID_ARGUMENT for a filter that auth refuses, UNAVAILABLE when auth does not answer.
        """
        request = access_pb2.FindServersRequest(user_id=user_id, organization_id=organization_id, filter=filter_text)
        try:
            metadata = await self._identity.metadata()
            answer = await self._stub.FindServers(request, metadata=metadata, timeout=LOOK_UP_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            told = from_rpc_error(error)
            if told.kind in (Kind.INVALID_ARGUMENT, Kind.RESOURCE_EXHAUSTED):
                raise told from error
            raise unavailable("Servers can't be found now.", private=f"auth does not answer: {error}") from error
        return answer.server_ids

    async def report_hosts(self, reports: Sequence[access_pb2.HostReport]) -> Sequence[access_pb2.HostRefusal]:
        """Tell auth what agents know of their hosts; what of that it does not take.

        Raises UNAVAILABLE when auth does not answer, else what it answers.
        """
        try:
            metadata = await self._identity.metadata()
            request = access_pb2.ReportHostsRequest(reports=reports)
            answer = await self._stub.ReportHosts(request, metadata=metadata, timeout=REPORT_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            told = from_rpc_error(error)
            if told.kind is Kind.DEADLINE_EXCEEDED:
                raise unavailable("Hosts can't be told now.", private=f"auth does not answer: {error}") from error
            raise told from error
        return answer.refused

    async def retentions(self) -> Sequence[access_pb2.ServerRetention]:
        """How long the samples of every server are kept, deleted ones included. Only auth knows, so it is always asked.

        Raises FlickError when auth does not tell all of it.
        """
        found: list[access_pb2.ServerRetention] = []
        request = access_pb2.ListRetentionsRequest()
        try:
            while True:
                metadata = await self._identity.metadata()
                answer = await self._stub.ListRetentions(request, metadata=metadata, timeout=REPORT_TIMEOUT_S)
                found += answer.servers
                if not answer.next_page_token:
                    return found
                request.page_token = answer.next_page_token
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    def listen(self, tell: Callable[[], None], *, server_id: str) -> AbstractContextManager[None]:
        """Call `tell` whenever something about the server or its keys changes, while entered."""
        return self._grants.listen(tell, server_id=server_id)

    async def _look_up(self, request: access_pb2.LookUpAccessRequest) -> Grants:
        return self._grants if self.fresh else await self._ask(request)

    async def _ask(self, request: access_pb2.LookUpAccessRequest) -> Grants:
        try:
            metadata = await self._identity.metadata()
            answer = await self._stub.LookUpAccess(request, metadata=metadata, timeout=LOOK_UP_TIMEOUT_S)
        except (grpc.aio.AioRpcError, FlickError) as error:
            raise unavailable("Access can't be checked now.", private=f"auth does not answer: {error}") from error
        grants = Grants()
        grants.replace(answer.granted)
        return grants

    async def _find(self, request: access_pb2.LookUpAccessRequest, pick: Callable[[Grants], T | None]) -> T | None:
        """What `pick` finds. A server that joined a moment ago may be younger than the copy, so that auth is asked."""
        found = pick(await self._look_up(request))
        if found is None and self._may_doubt():
            with suppress(FlickError):  # then the copy stands
                found = pick(await self._ask(request))
        return found

    def _may_doubt(self) -> bool:
        """Whether auth may be asked for what the copy lacks: not so often that strangers' keys become a load on it."""
        now_s = self._clock.monotonic_s()
        self._doubts = min(DOUBTS_AT_ONCE, self._doubts + (now_s - self._doubts_at_s) * DOUBTS_PER_S)
        self._doubts_at_s = now_s
        if not self.fresh or self._doubts < 1:
            return False
        self._doubts -= 1
        return True

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except (grpc.aio.AioRpcError, FlickError, TimeoutError) as error:
                logger.warning("access watch is broken", extra={"why": str(error) or type(error).__name__})
            await self._clock.sleep(RETRY_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, hides nothing

    async def _follow(self) -> None:
        snapshot: list[access_pb2.AccessEntry] | None = []
        call = self._stub.WatchAccess(access_pb2.WatchAccessRequest(), metadata=await self._identity.metadata())
        try:
            while True:
                async with asyncio.timeout(STALE_AFTER_S):
                    message = await call.read()
                if not isinstance(message, access_pb2.WatchAccessResponse):
                    return
                if snapshot is not None:
                    snapshot.extend(message.granted)
                    if not message.snapshot_complete:
                        continue
                    self._grants.replace(snapshot)
                    snapshot = None
                else:
                    self._apply(message)
                self._heard_at_s = self._clock.monotonic_s()
        finally:
            call.cancel()

    def _apply(self, message: access_pb2.WatchAccessResponse) -> None:
        for entry in message.revoked:
            self._grants.revoke(entry)
        for entry in message.granted:
            self._grants.grant(entry)

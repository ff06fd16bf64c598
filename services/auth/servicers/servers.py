"""ServerService: the registry of servers."""

from typing import TypeVar
from uuid import UUID

from flick.clock import Clock, utc
from flick.errors import not_found
from flick.ids import parse_id
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.v1 import servers_pb2, servers_pb2_grpc
from services.auth.filters.conditions import condition
from services.auth.filters.ordering import parse_order
from services.auth.rules import pages, settings
from services.auth.rules.servers import read_batch, read_change
from services.auth.store.servers import FIRST_FREE, ServerStore
from services.auth.store.settings import Owner, SettingsStore

T = TypeVar("T")


class ServerServicer(servers_pb2_grpc.ServerServiceServicer):
    """See the contract. The access aspect has checked the caller's role in the organization of the server named."""

    def __init__(self, *, store: ServerStore, settings: SettingsStore, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    async def ListServers(
        self, request: servers_pb2.ListServersRequest, context: Context
    ) -> servers_pb2.ListServersResponse:
        """See the contract."""
        size, order = pages.page_size(request.page_size), parse_order(request.order_by)
        asked = pages.fingerprint(request.organization_id, request.filter, request.order_by)
        found = await self._store.page(
            user_id=UUID(current_caller().user_id),
            organization_id=parse_id(request.organization_id),
            condition=condition(request.filter, first=FIRST_FREE),
            order=order,
            after=pages.read_key_and_id(request.page_token, asked=asked, read=order.read),
            limit=size + 1,
        )
        page, last = pages.cut(found, size=size)
        return servers_pb2.ListServersResponse(
            servers=[one.server for one in page],
            next_page_token=pages.write_token(asked, order.write(last.key), last.server.server_id) if last else "",
        )

    async def GetServer(self, request: servers_pb2.GetServerRequest, context: Context) -> servers_pb2.Server:
        """See the contract."""
        return _found(await self._store.get(server_id=UUID(request.server_id)))

    async def UpdateServer(self, request: servers_pb2.UpdateServerRequest, context: Context) -> servers_pb2.Server:
        """See the contract."""
        change = read_change(request.server, request.update_mask)
        return _found(await self._store.update(server_id=UUID(request.server_id), change=change))

    async def BatchUpdateServers(
        self, request: servers_pb2.BatchUpdateServersRequest, context: Context
    ) -> servers_pb2.BatchUpdateServersResponse:
        """See the contract."""
        change, server_ids = read_batch(request), list({UUID(one) for one in request.server_ids})
        await self._store.update_alike(server_ids=server_ids, change=change)
        return servers_pb2.BatchUpdateServersResponse(server_count=len(server_ids))

    async def DeleteServer(
        self, request: servers_pb2.DeleteServerRequest, context: Context
    ) -> servers_pb2.DeleteServerResponse:
        """See the contract."""
        if not await self._store.delete(server_id=UUID(request.server_id), now=utc(self._clock)):
            raise not_found("server")
        return servers_pb2.DeleteServerResponse()

    async def GetServerSettings(
        self, request: servers_pb2.GetServerSettingsRequest, context: Context
    ) -> servers_pb2.ServerSettings:
        """See the contract."""
        return await self._settings.get(Owner.SERVER, owner_id=UUID(request.server_id))

    async def UpdateServerSettings(
        self, request: servers_pb2.UpdateServerSettingsRequest, context: Context
    ) -> servers_pb2.ServerSettings:
        """See the contract."""
        change = settings.read_change(request.settings, request.update_mask)
        return await self._settings.change(Owner.SERVER, owner_id=UUID(request.server_id), change=change)

    async def ListAgentKeys(
        self, request: servers_pb2.ListAgentKeysRequest, context: Context
    ) -> servers_pb2.ListAgentKeysResponse:
        """See the contract."""
        size = pages.page_size(request.page_size)
        found = await self._store.agent_keys(
            server_id=UUID(request.server_id), before=pages.read_id(request.page_token), limit=size + 1
        )
        page, last = pages.cut(found, size=size)
        return servers_pb2.ListAgentKeysResponse(
            agent_keys=page, next_page_token=pages.write_token(last.key_id) if last else ""
        )

    async def RevokeAgentKey(
        self, request: servers_pb2.RevokeAgentKeyRequest, context: Context
    ) -> servers_pb2.AgentKey:
        """See the contract. Revoking a revoked key changes nothing."""
        key_id = parse_id(request.key_id)
        if key_id is None:
            raise not_found("agent key")
        key = await self._store.revoke_agent_key(server_id=UUID(request.server_id), key_id=key_id, now=utc(self._clock))
        return _found(key, subject="agent key")


def _found(message: T | None, *, subject: str = "server") -> T:
    if message is None:  # deleted since the access aspect looked
        raise not_found(subject)
    return message

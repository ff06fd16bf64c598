"""A stream of access as another service holds it, and what a test does to somebody's key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from flick.rpc.access.grants import Grants
from flick.tokens import AGENT_KEY_PREFIX, parse_opaque
from flick.v1 import access_pb2, servers_pb2
from tests.integration.auth.house import AuthHouse, Person

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


async def revision(house: AuthHouse) -> int:
    return int((await house.sql("select revision from auth.access_revision"))[0]["revision"])

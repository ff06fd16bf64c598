"""Auth as far as ingest needs it: servers, their agents' keys and settings, given and taken by a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from flick import tokens
from flick.ids import new_id
from flick.v1 import access_pb2, access_pb2_grpc, auth_pb2, auth_pb2_grpc, servers_pb2

SIGN_OF_LIFE_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """A server and its agent's key."""

    server_id: str
    organization_id: str
    key_id: str
    key: str


class AgentAuth(access_pb2_grpc.AccessServiceServicer, auth_pb2_grpc.AuthServiceServicer):
    """Grants are kept in a table; every change is sent to every stream."""

    def __init__(self) -> None:
        self._granted: dict[str, access_pb2.AccessEntry] = {}
        self._streams: set[asyncio.Queue[access_pb2.WatchAccessResponse]] = set()
        self._muted = False

    @asynccontextmanager
    async def serving(self, *, port: int = 0) -> AsyncIterator[str]:
        """Serve while entered; yields the address."""
        server = grpc.aio.server()
        access_pb2_grpc.add_AccessServiceServicer_to_server(self, server)
        auth_pb2_grpc.add_AuthServiceServicer_to_server(self, server)
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)

    def enroll(self, *, retention_days: int = 30) -> Enrolled:
        """A new server with a key."""
        token = tokens.make_opaque(prefix=tokens.AGENT_KEY_PREFIX, token_id=new_id())
        enrolled = Enrolled(
            server_id=str(new_id()), organization_id=str(new_id()), key_id=str(token.id), key=token.text
        )
        key = access_pb2.AgentKeyEntry(
            key_id=enrolled.key_id,
            server_id=enrolled.server_id,
            organization_id=enrolled.organization_id,
            secret_sha256=token.secret_sha256,
        )
        self._grant(enrolled.server_id, _server(enrolled, retention_days=retention_days))
        self._grant(enrolled.key_id, access_pb2.AccessEntry(agent_key=key))
        return enrolled

    def revoke(self, enrolled: Enrolled) -> None:
        """Take the key."""
        self._tell(access_pb2.WatchAccessResponse(revoked=[self._granted.pop(enrolled.key_id)]))

    def change_settings(self, enrolled: Enrolled, **settings: bool | int) -> None:
        """Other settings for the server."""
        self._grant(enrolled.server_id, _server(enrolled, **settings))

    def mute(self) -> None:
        """Let the streams of changes fall silent without ending; questions are still answered."""
        self._muted = True

    def _grant(self, name: str, entry: access_pb2.AccessEntry) -> None:
        self._granted[name] = entry
        self._tell(access_pb2.WatchAccessResponse(granted=[entry]))

    def _tell(self, message: access_pb2.WatchAccessResponse) -> None:
        for stream in self._streams:
            stream.put_nowait(message)

    async def IssueServiceToken(self, request: Any, context: Any) -> auth_pb2.IssueServiceTokenResponse:  # noqa: N802
        return auth_pb2.IssueServiceTokenResponse(token="service", expires_in=300)

    async def LookUpAccess(self, request: Any, context: Any) -> access_pb2.LookUpAccessResponse:  # noqa: N802
        asked = [*request.server_ids, *request.key_ids]
        return access_pb2.LookUpAccessResponse(granted=[self._granted[one] for one in asked if one in self._granted])

    async def WatchAccess(  # noqa: N802
        self, request: Any, context: Any
    ) -> AsyncIterator[access_pb2.WatchAccessResponse]:
        changes: asyncio.Queue[access_pb2.WatchAccessResponse] = asyncio.Queue()
        self._streams.add(changes)
        try:
            message = access_pb2.WatchAccessResponse(granted=self._granted.values(), snapshot_complete=True)
            while True:
                if not self._muted:
                    yield message
                try:
                    message = await asyncio.wait_for(changes.get(), timeout=SIGN_OF_LIFE_S)
                except TimeoutError:
                    message = access_pb2.WatchAccessResponse()
        finally:
            self._streams.discard(changes)


def make_auth() -> AgentAuth:
    return AgentAuth()  # type: ignore[abstract]  # the methods that no test calls answer UNIMPLEMENTED


def _server(enrolled: Enrolled, **settings: bool | int) -> access_pb2.AccessEntry:
    values = {"retention_days": 30, "processes_enabled": True, "process_commands_enabled": True, **settings}
    message = servers_pb2.ServerSettings(**values)  # type: ignore[arg-type]
    message.metric_interval.FromSeconds(5)
    return access_pb2.AccessEntry(
        server=access_pb2.ServerEntry(
            server_id=enrolled.server_id, organization_id=enrolled.organization_id, settings=message
        )
    )

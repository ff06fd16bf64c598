"""Auth as far as the services behind it need it: people, servers and agents' keys that a test gives and takes."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flick import tokens
from flick.ids import new_id
from flick.v1 import access_pb2, access_pb2_grpc, auth_pb2, auth_pb2_grpc, options_pb2, servers_pb2

Metadata = tuple[tuple[str, str], ...]
A_RUN_S = 7200  # longer than a whole run of the tests, for which a house may stand
SIGN_OF_LIFE_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """A server and its agent's key."""

    server_id: str
    organization_id: str
    key_id: str
    key: str


class TinyAuth(access_pb2_grpc.AccessServiceServicer, auth_pb2_grpc.AuthServiceServicer):
    """Grants are kept in a list; every change is sent to every watch."""

    def __init__(self) -> None:
        self.look_ups = 0
        self.hosts: dict[str, access_pb2.HostReport] = {}
        """What was told of each server's host last."""
        self.reports_asked = 0
        self.answers_reports = asyncio.Event()
        """Cleared: what is told of hosts is heard and not answered."""
        self.answers_reports.set()
        self.matches: dict[str, list[str]] = {}
        """The ids of the servers that a filter matches. Any other filter is refused."""
        self._signer = tokens.Signer(key=Ed25519PrivateKey.generate(), key_id="k1")
        self._granted: list[access_pb2.AccessEntry] = []
        self._watches: set[asyncio.Queue[access_pb2.WatchAccessResponse]] = set()
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

    def mute(self) -> None:
        """Let the watches fall silent without ending; questions are still answered."""
        self._muted = True

    def person(
        self,
        *,
        organization_id: str,
        lifetime_s: int = A_RUN_S,
        user_id: str = "",
        role: options_pb2.Role.ValueType = options_pb2.ROLE_VIEWER,
    ) -> tuple[str, Metadata]:
        """Somebody in an organization, by default a viewer: id and the metadata of their calls."""
        user_id = user_id or str(new_id())
        self._change(granted=[_membership(user_id, organization_id, role)])
        return user_id, self.metadata(user_id, lifetime_s=lifetime_s)

    def metadata(self, user_id: str, *, lifetime_s: int = A_RUN_S) -> Metadata:
        """What a person's calls carry."""
        token = self._signer.sign(
            subject=user_id,
            audience=tokens.USER_AUDIENCE,
            token_type=tokens.ACCESS_TOKEN_TYPE,
            lifetime_s=lifetime_s,
            session=str(new_id()),
        )
        return (("authorization", f"Bearer {token}"),)

    def expel(self, user_id: str, organization_id: str) -> None:
        """Take a person's membership."""
        self._change(revoked=[_membership(user_id, organization_id)])

    def server(self, *, organization_id: str, interval_s: int = 5) -> str:
        """A new server of an organization."""
        server_id = str(new_id())
        self._change(granted=[_server(server_id, organization_id, interval_s=interval_s)])
        return server_id

    def enroll(self, *, retention_days: int = 30) -> Enrolled:
        """A new server of an organization of its own, with a key."""
        token = tokens.make_opaque(prefix=tokens.AGENT_KEY_PREFIX, token_id=new_id())
        organization_id, key_id = str(new_id()), str(token.id)
        server_id = str(new_id())
        key = access_pb2.AgentKeyEntry(
            key_id=key_id, server_id=server_id, organization_id=organization_id, secret_sha256=token.secret_sha256
        )
        server = _server(server_id, organization_id, retention_days=retention_days)
        self._change(granted=[server, access_pb2.AccessEntry(agent_key=key)])
        return Enrolled(server_id=server_id, organization_id=organization_id, key_id=key_id, key=token.text)

    def change_settings(self, enrolled: Enrolled, **settings: bool | int) -> None:
        """Other settings for the server."""
        self._granted = [one for one in self._granted if one.server.server_id != enrolled.server_id]
        self._change(granted=[_server(enrolled.server_id, enrolled.organization_id, **settings)])

    def revoke(self, enrolled: Enrolled) -> None:
        """Take the agent's key."""
        self._change(revoked=[one for one in self._granted if one.agent_key.key_id == enrolled.key_id])

    def delete(self, server_id: str) -> None:
        """Take a server away."""
        self._change(revoked=[one for one in self._granted if one.server.server_id == server_id])

    def _change(
        self, *, granted: Sequence[access_pb2.AccessEntry] = (), revoked: Sequence[access_pb2.AccessEntry] = ()
    ) -> None:
        self._granted = [*(one for one in self._granted if one not in revoked), *granted]
        for watch in self._watches:
            watch.put_nowait(access_pb2.WatchAccessResponse(granted=granted, revoked=revoked))

    async def IssueServiceToken(self, request: Any, context: Any) -> auth_pb2.IssueServiceTokenResponse:
        return auth_pb2.IssueServiceTokenResponse(token="service", expires_in=300)

    async def GetMe(self, request: Any, context: Any) -> auth_pb2.Me:
        (token,) = (value for key, value in context.invocation_metadata() if key == "authorization")
        claims = token.split(".")[1]
        return auth_pb2.Me(user_id=json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"])

    async def GetJsonWebKeySet(self, request: Any, context: Any) -> auth_pb2.JsonWebKeySet:
        raw = self._signer.key.public_key().public_bytes_raw()
        key = auth_pb2.JsonWebKey(kid="k1", x=base64.urlsafe_b64encode(raw).decode().rstrip("="))
        return auth_pb2.JsonWebKeySet(keys=[key])

    async def ListRetentions(
        self, request: access_pb2.ListRetentionsRequest, context: Any
    ) -> access_pb2.ListRetentionsResponse:
        """In pages of two, so that there are several."""
        servers = {one.server.server_id: one.server for one in self._granted if one.HasField("server")}
        names = sorted(one for one in servers if one > request.page_token)
        return access_pb2.ListRetentionsResponse(
            servers=[
                access_pb2.ServerRetention(server_id=one, retention_days=servers[one].settings.retention_days)
                for one in names[:2]
            ],
            next_page_token=names[1] if len(names) > 2 else "",
        )

    async def LookUpAccess(
        self, request: access_pb2.LookUpAccessRequest, context: Any
    ) -> access_pb2.LookUpAccessResponse:
        self.look_ups += 1
        return access_pb2.LookUpAccessResponse(granted=[one for one in self._granted if _is_asked_for(one, request)])

    async def FindServers(self, request: access_pb2.FindServersRequest, context: Any) -> access_pb2.FindServersResponse:
        if request.filter not in self.matches:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "filter: at character 1: no.")
        return access_pb2.FindServersResponse(server_ids=self.matches[request.filter])

    async def ReportHosts(self, request: access_pb2.ReportHostsRequest, context: Any) -> access_pb2.ReportHostsResponse:
        self.reports_asked += 1
        await self.answers_reports.wait()
        self.hosts.update({report.server_id: report for report in request.reports})
        return access_pb2.ReportHostsResponse()

    async def WatchAccess(self, request: Any, context: Any) -> AsyncIterator[access_pb2.WatchAccessResponse]:
        changes: asyncio.Queue[access_pb2.WatchAccessResponse] = asyncio.Queue()
        self._watches.add(changes)
        try:
            message = access_pb2.WatchAccessResponse(granted=self._granted, snapshot_complete=True)
            while True:
                if not self._muted:
                    yield message
                try:
                    message = await asyncio.wait_for(changes.get(), timeout=SIGN_OF_LIFE_S)
                except TimeoutError:
                    message = access_pb2.WatchAccessResponse()
        finally:
            self._watches.discard(changes)


def make_auth() -> TinyAuth:
    return TinyAuth()  # type: ignore[abstract]  # the methods that no test calls answer UNIMPLEMENTED


def _is_asked_for(entry: access_pb2.AccessEntry, request: access_pb2.LookUpAccessRequest) -> bool:
    if entry.HasField("membership"):
        return entry.membership.user_id in request.user_ids
    if entry.HasField("agent_key"):
        return entry.agent_key.key_id in request.key_ids
    return entry.server.server_id in request.server_ids or entry.server.organization_id in request.organization_ids


def _membership(
    user_id: str, organization_id: str, role: options_pb2.Role.ValueType = options_pb2.ROLE_VIEWER
) -> access_pb2.AccessEntry:
    entry = access_pb2.MembershipEntry(user_id=user_id, organization_id=organization_id, role=role)
    return access_pb2.AccessEntry(membership=entry)


def _server(
    server_id: str, organization_id: str, *, interval_s: int = 5, **settings: bool | int
) -> access_pb2.AccessEntry:
    values = {"retention_days": 30, "processes_enabled": True, "process_commands_enabled": True, **settings}
    message = servers_pb2.ServerSettings(**values)  # type: ignore[arg-type]
    message.metric_interval.FromSeconds(interval_s)
    return access_pb2.AccessEntry(
        server=access_pb2.ServerEntry(server_id=server_id, organization_id=organization_id, settings=message)
    )

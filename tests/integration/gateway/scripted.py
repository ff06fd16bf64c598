"""Auth and query as real gRPC servers whose answers a test writes: the gateway can't tell them from the real ones."""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from google.api.httpbody_pb2 import HttpBody

from flick.errors import FlickError, Kind, invalid, not_found, unauthenticated
from flick.rpc.aspect import Context
from flick.rpc.faults import FaultAspect
from flick.rpc.server import Registration, serve
from flick.v1 import (
    auth_pb2,
    auth_pb2_grpc,
    delivery_pb2,
    enrollment_pb2,
    enrollment_pb2_grpc,
    options_pb2,
    organizations_pb2_grpc,
    push_pb2,
    push_pb2_grpc,
    query_pb2,
    query_pb2_grpc,
    servers_pb2,
    servers_pb2_grpc,
    stats_pb2,
    stats_pb2_grpc,
)

REVOKED = query_pb2.WatchMetricsResponse(server_id="revoked")
EMAIL, PASSWORD = "ada@example.org", "correct horse"


@dataclass
class Accounts:
    """Who is signed in, by which tokens."""

    lifetime_s: float = 900.0
    access: dict[str, str] = field(default_factory=dict)
    """User id by access token."""
    refresh: dict[str, str] = field(default_factory=dict)
    """Family by unused refresh token."""
    used: dict[str, str] = field(default_factory=dict)
    """Family by used refresh token."""
    refreshes: int = 0
    ended: set[str] = field(default_factory=set)
    """Families that a second use, or a logout, has ended."""

    def token(self, user_id: str, *, lifetime_s: float | None = None) -> str:
        """A new access token: a JWT in form, told apart from others by nothing but this list."""
        expires = time.time() + (self.lifetime_s if lifetime_s is None else lifetime_s)
        claims = json.dumps({"sub": user_id, "exp": expires, "jti": secrets.token_hex(8)}).encode()
        token = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"
        self.access[token] = user_id
        return token

    def pair(self, user_id: str, family: str) -> auth_pb2.TokenPair:
        refresh_token = f"flr_{secrets.token_hex(16)}"
        self.refresh[refresh_token] = family
        return auth_pb2.TokenPair(
            access_token=self.token(user_id),
            refresh_token=refresh_token,
            expires_in=int(self.lifetime_s),
            token_type="Bearer",
        )

    def caller(self, context: Context) -> str:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        user_id = self.access.get(metadata.get("authorization", "").removeprefix("Bearer "))
        if user_id is None:
            raise unauthenticated("The token is not valid. Sign in again.", reason="TOKEN_INVALID")
        return user_id


class ScriptedAuth(auth_pb2_grpc.AuthServiceServicer):
    """Sessions. A refresh token used twice ends its session, as the contract says."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.requests: list[dict[str, str]] = []

    async def Login(self, request: auth_pb2.LoginRequest, context: Context) -> auth_pb2.TokenPair:
        if not request.email:
            raise invalid("email", "is empty; give your e-mail address.")
        if (request.email, request.password) != (EMAIL, PASSWORD):
            raise unauthenticated("E-mail address or password is wrong.")
        return self.accounts.pair("ada", secrets.token_hex(4))

    async def RefreshToken(self, request: auth_pb2.RefreshTokenRequest, context: Context) -> auth_pb2.TokenPair:
        accounts = self.accounts
        if request.refresh_token in accounts.used:
            accounts.ended.add(accounts.used[request.refresh_token])
        family = accounts.refresh.pop(request.refresh_token, None)
        if family is None or family in accounts.ended:
            raise unauthenticated("The session has ended. Sign in again.")
        accounts.used[request.refresh_token] = family
        accounts.refreshes += 1
        return accounts.pair("ada", family)

    async def Logout(self, request: auth_pb2.LogoutRequest, context: Context) -> auth_pb2.LogoutResponse:
        family = self.accounts.refresh.pop(request.refresh_token, None)
        if family is not None:
            self.accounts.ended.add(family)
        return auth_pb2.LogoutResponse()

    async def GetMe(self, request: auth_pb2.GetMeRequest, context: Context) -> auth_pb2.Me:
        self.requests.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        me = auth_pb2.Me(user_id=self.accounts.caller(context), email=EMAIL)
        membership = me.organizations.add(role=options_pb2.ROLE_OWNER)
        membership.organization.display_name = "Ada's"
        return me

    async def GetJsonWebKeySet(
        self, request: auth_pb2.GetJsonWebKeySetRequest, context: Context
    ) -> auth_pb2.JsonWebKeySet:
        return auth_pb2.JsonWebKeySet()


class ScriptedServers(servers_pb2_grpc.ServerServiceServicer):
    """A list of servers, in pages of two."""

    def __init__(self, accounts: Accounts, names: dict[str, str]) -> None:
        self.accounts = accounts
        self.names = names

    async def ListServers(
        self, request: servers_pb2.ListServersRequest, context: Context
    ) -> servers_pb2.ListServersResponse:
        self.accounts.caller(context)
        start = int(request.page_token or 0)
        page = list(self.names.items())[start : start + 2]
        answer = servers_pb2.ListServersResponse(
            servers=[servers_pb2.Server(server_id=key, display_name=name) for key, name in page]
        )
        if start + 2 < len(self.names):
            answer.next_page_token = str(start + 2)
        return answer


class ScriptedEnrollment(enrollment_pb2_grpc.EnrollmentServiceServicer):
    """Join tokens, and the authority."""

    def __init__(self, accounts: Accounts, ca_pem: str) -> None:
        self.accounts = accounts
        self.ca_pem = ca_pem
        self.asked: list[enrollment_pb2.CreateJoinTokenRequest] = []

    async def CreateJoinToken(
        self, request: enrollment_pb2.CreateJoinTokenRequest, context: Context
    ) -> enrollment_pb2.CreateJoinTokenResponse:
        self.accounts.caller(context)
        self.asked.append(request)
        return enrollment_pb2.CreateJoinTokenResponse(token="flj_1_2_3_4", enroll_url="https://flick.example:8080")

    async def GetTrustBundle(
        self, request: enrollment_pb2.GetTrustBundleRequest, context: Context
    ) -> enrollment_pb2.TrustBundle:
        return enrollment_pb2.TrustBundle(ca_pem=self.ca_pem)


class ScriptedStats(stats_pb2_grpc.StatsServiceServicer):
    """What FLick knows of itself, as a test says it."""

    def __init__(self) -> None:
        self.answer = stats_pb2.GetStatsResponse()
        self.asked: list[stats_pb2.GetStatsRequest] = []

    async def GetStats(self, request: stats_pb2.GetStatsRequest, context: Context) -> stats_pb2.GetStatsResponse:
        self.asked.append(request)
        return self.answer


class ScriptedQuery(query_pb2_grpc.QueryServiceServicer):
    """Live values: whatever a test publishes reaches every call that watches the server."""

    def __init__(self, accounts: Accounts, names: dict[str, str]) -> None:
        self.accounts = accounts
        self.names = names
        self.delivery = delivery_pb2.GetServerDeliveryResponse()
        self.deliveries_asked: list[delivery_pb2.GetServerDeliveryRequest] = []
        self.history: query_pb2.QueryMetricsResponse | None = None
        self.histories_asked: list[query_pb2.QueryMetricsRequest] = []
        self.fleets_asked: list[query_pb2.QueryFleetMetricsRequest] = []
        self.pieces: list[bytes] = []
        self.watchers: dict[asyncio.Queue[query_pb2.WatchMetricsResponse], frozenset[str]] = {}

    async def WatchMetrics(
        self, request: query_pb2.WatchMetricsRequest, context: Context
    ) -> AsyncIterator[query_pb2.WatchMetricsResponse]:
        user_id = self.accounts.caller(context)
        if not set(request.server_ids) <= set(self.names):
            raise not_found("server")
        queue: asyncio.Queue[query_pb2.WatchMetricsResponse] = asyncio.Queue()
        self.watchers[queue] = frozenset(request.server_ids)
        try:
            yield query_pb2.WatchMetricsResponse()  # a sign of life
            while user_id in self.accounts.access.values():
                update = await queue.get()
                if update is not REVOKED:
                    yield update
            raise unauthenticated("The token was revoked.", reason="TOKEN_REVOKED")
        finally:
            del self.watchers[queue]

    def revoke(self, token: str) -> None:
        """Make the token worthless; calls that run with it end."""
        del self.accounts.access[token]
        for queue in self.watchers:
            queue.put_nowait(REVOKED)

    def publish(self, server_id: str, value: float, *, metric: str = "system.cpu.utilization", padding: int = 0) -> int:
        """Send a value of now; returns to how many calls. `padding` adds so many more values."""
        update = query_pb2.WatchMetricsResponse(server_id=server_id)
        update.time.GetCurrentTime()
        update.values.add(name=metric, value=value)
        for index in range(padding):
            update.values.add(name="system.cpu.core.utilization", labels={"cpu.logical_number": str(index)}, value=0.5)
        reached = [queue for queue, servers in self.watchers.items() if server_id in servers]
        for queue in reached:
            queue.put_nowait(update)
        return len(reached)

    async def SummarizeServers(
        self, request: query_pb2.SummarizeServersRequest, context: Context
    ) -> query_pb2.SummarizeServersResponse:
        self.accounts.caller(context)
        answer = query_pb2.SummarizeServersResponse(total_count=len(self.names))
        for server_id in self.names:
            answer.servers.add(
                server_id=server_id, state=query_pb2.SERVER_STATE_ONLINE
            ).last_sample_time.GetCurrentTime()
        return answer

    async def GetServerDelivery(
        self, request: delivery_pb2.GetServerDeliveryRequest, context: Context
    ) -> delivery_pb2.GetServerDeliveryResponse:
        self.accounts.caller(context)
        if request.server_id not in self.names:
            raise not_found("server")
        self.deliveries_asked.append(request)
        answer = delivery_pb2.GetServerDeliveryResponse()
        answer.CopyFrom(self.delivery)
        answer.start_time.CopyFrom(request.start_time)
        answer.end_time.GetCurrentTime()
        return answer

    async def ListProcesses(
        self, request: query_pb2.ListProcessesRequest, context: Context
    ) -> query_pb2.ListProcessesResponse:
        self.accounts.caller(context)
        answer = query_pb2.ListProcessesResponse()
        answer.processes.add(pid=7, name="postgres", user="flick", state="running", cpu_utilization=1.5)
        return answer

    async def QueryMetrics(
        self, request: query_pb2.QueryMetricsRequest, context: Context
    ) -> query_pb2.QueryMetricsResponse:
        self.histories_asked.append(request)
        if self.history is None:
            raise FlickError(Kind.RESOURCE_EXHAUSTED, "Too much at once.", retry_after_s=2)
        return self.history

    async def QueryFleetMetrics(
        self, request: query_pb2.QueryFleetMetricsRequest, context: Context
    ) -> query_pb2.QueryFleetMetricsResponse:
        self.fleets_asked.append(request)
        return query_pb2.QueryFleetMetricsResponse()

    async def ExportMetrics(self, request: query_pb2.ExportMetricsRequest, context: Context) -> AsyncIterator[HttpBody]:
        for piece in self.pieces:
            yield HttpBody(content_type="text/csv; charset=utf-8", data=piece)


class ScriptedPush(push_pb2_grpc.PushServiceServicer):
    """Remembers what is pushed, and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[push_pb2.PushMetricsRequest] = []
        self.answer = push_pb2.PushMetricsResponse()

    async def PushMetrics(self, request: push_pb2.PushMetricsRequest, context: Context) -> push_pb2.PushMetricsResponse:
        self.asked.append(request)
        return self.answer


@dataclass
class Backends:
    """The scripted services and where they answer."""

    accounts: Accounts
    auth: ScriptedAuth
    query: ScriptedQuery
    enrollment: ScriptedEnrollment
    stats: ScriptedStats = field(default_factory=ScriptedStats)
    auth_address: str = ""
    query_address: str = ""
    push: ScriptedPush = field(default_factory=ScriptedPush)

    @property
    def ingest_address(self) -> str:
        """The server of auth serves pushes, too."""
        return self.auth_address


def make_backends(names: dict[str, str], *, ca_pem: str = "") -> Backends:
    accounts = Accounts()
    return Backends(  # what is not scripted answers UNIMPLEMENTED
        accounts,
        ScriptedAuth(accounts),  # type: ignore[abstract]
        ScriptedQuery(accounts, names),  # type: ignore[abstract]
        ScriptedEnrollment(accounts, ca_pem),  # type: ignore[abstract]
    )


@asynccontextmanager
async def serve_auth(backends: Backends, *, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    def add(server: grpc.aio.Server) -> None:
        auth_pb2_grpc.add_AuthServiceServicer_to_server(backends.auth, server)
        servers = ScriptedServers(backends.accounts, backends.query.names)  # type: ignore[abstract]
        servers_pb2_grpc.add_ServerServiceServicer_to_server(servers, server)
        enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server(backends.enrollment, server)
        push_pb2_grpc.add_PushServiceServicer_to_server(backends.push, server)
        organizations_pb2_grpc.add_OrganizationServiceServicer_to_server(
            organizations_pb2_grpc.OrganizationServiceServicer(),  # type: ignore[abstract]
            server,
        )

    async with _serve(listen, add, auth_pb2.DESCRIPTOR.services_by_name["AuthService"]) as address:
        backends.auth_address = address
        yield address


@asynccontextmanager
async def serve_query(backends: Backends, *, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    def add(server: grpc.aio.Server) -> None:
        query_pb2_grpc.add_QueryServiceServicer_to_server(backends.query, server)
        stats_pb2_grpc.add_StatsServiceServicer_to_server(backends.stats, server)

    async with _serve(listen, add, query_pb2.DESCRIPTOR.services_by_name["QueryService"]) as address:
        backends.query_address = address
        yield address


@asynccontextmanager
async def _serve(listen: str, add: object, descriptor: object) -> AsyncIterator[str]:
    registration = Registration(add=add, descriptor=descriptor)  # type: ignore[arg-type]
    async with serve(listen=listen, registrations=[registration], aspects=[FaultAspect()], drain_s=0.2) as running:
        yield running.address

"""A real server with every aspect in front of a servicer that does what a test tells it to."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from prometheus_client import CollectorRegistry

from flick import tokens
from flick.clock import SystemClock
from flick.ids import new_id
from flick.rpc.access.aspect import AccessAspect
from flick.rpc.access.grants import Grants
from flick.rpc.access.rules import read_rules
from flick.rpc.access.source import AgentKey
from flick.rpc.aspect import Aspect
from flick.rpc.calls import DeadlineAspect, MetricsAspect
from flick.rpc.client import open_channel
from flick.rpc.faults import FaultAspect
from flick.rpc.server import Registration, serve
from flick.telemetry import RpcMetrics
from flick.v1 import access_pb2, options_pb2, query_pb2, query_pb2_grpc

DESCRIPTOR = query_pb2.DESCRIPTOR.services_by_name["QueryService"]


class GrantedSource:
    """An `AccessSource` over grants that a test wrote down."""

    def __init__(self, grants: Grants) -> None:
        self.grants = grants

    async def role(self, *, user_id: str, organization_id: str) -> int:
        return self.grants.role(user_id=user_id, organization_id=organization_id)

    async def organizations_of(self, *, server_ids: Sequence[str]) -> Mapping[str, str]:
        found = {server_id: self.grants.organization_of(server_id=server_id) for server_id in server_ids}
        return {server_id: organization_id for server_id, organization_id in found.items() if organization_id}

    async def agent_key(self, *, key_id: str) -> AgentKey | None:
        return self.grants.agent_key(key_id=key_id)


class FixedKeys:
    """A `KeySource` with one key."""

    def __init__(self, key_id: str, key: Ed25519PublicKey) -> None:
        self._keys = {key_id: key}

    async def keys(self, *, key_id: str) -> Mapping[str, Ed25519PublicKey]:
        return self._keys


class Servicer(query_pb2_grpc.QueryServiceServicer):
    """Answers by what the test put into `behaviour`."""

    def __init__(self) -> None:
        self.behaviour: Any = None

    async def GetLatestMetrics(self, request: query_pb2.GetLatestMetricsRequest, context: Any) -> Any:
        return await self.behaviour(request, context)

    async def WatchMetrics(self, request: query_pb2.WatchMetricsRequest, context: Any) -> Any:
        async for response in self.behaviour(request, context):
            yield response


@dataclass
class House:
    """The server under test and everything a test needs to call it."""

    address: str
    servicer: Servicer
    registry: CollectorRegistry
    signer: tokens.Signer
    user: str = field(default_factory=lambda: str(new_id()))
    organization: str = field(default_factory=lambda: str(new_id()))
    server: str = field(default_factory=lambda: str(new_id()))
    foreign_server: str = field(default_factory=lambda: str(new_id()))

    def access_token(self) -> str:
        return self.signer.sign(
            subject=self.user, audience=tokens.USER_AUDIENCE, token_type=tokens.ACCESS_TOKEN_TYPE, lifetime_s=60
        )

    def service_token(self, *, audience: str) -> str:
        return self.signer.sign(
            subject="ingest", audience=audience, token_type=tokens.SERVICE_TOKEN_TYPE, lifetime_s=60
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.access_token()}"),)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    key = Ed25519PrivateKey.generate()
    servicer = Servicer()  # type: ignore[abstract]  # the methods that no test calls answer UNIMPLEMENTED
    registry, grants = CollectorRegistry(), Grants()
    rules = {name: rule for name, rule in read_rules([DESCRIPTOR]).items() if not name.endswith("QueryMetrics")}
    aspects: list[Aspect] = [
        FaultAspect(),
        MetricsAspect(metrics=RpcMetrics(registry=registry), clock=SystemClock()),
        DeadlineAspect(limit_s=0.3, exempt=frozenset({"/flick.v1.QueryService/WatchMetrics"})),
        AccessAspect(
            rules=rules, source=GrantedSource(grants), keys=FixedKeys("k", key.public_key()), audience="query"
        ),
    ]
    registration = Registration(
        add=lambda server: query_pb2_grpc.add_QueryServiceServicer_to_server(servicer, server), descriptor=DESCRIPTOR
    )
    async with serve(listen="127.0.0.1:0", registrations=[registration], aspects=aspects, drain_s=1) as running:
        house = House(running.address, servicer, registry, tokens.Signer(key=key, key_id="k"))
        grants.grant(
            access_pb2.AccessEntry(
                membership=access_pb2.MembershipEntry(
                    user_id=house.user, organization_id=house.organization, role=options_pb2.ROLE_VIEWER
                )
            )
        )
        for server, organization in [(house.server, house.organization), (house.foreign_server, str(new_id()))]:
            entry = access_pb2.ServerEntry(server_id=server, organization_id=organization)
            grants.grant(access_pb2.AccessEntry(server=entry))
        yield house


@pytest.fixture
async def channel(house: House) -> AsyncIterator[grpc.aio.Channel]:
    async with open_channel(house.address) as channel:
        yield channel

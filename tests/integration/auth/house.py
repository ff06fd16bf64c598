"""Auth running in this process over a real database, with people made to measure."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry

from flick import tokens
from flick.clock import SystemClock, utc
from flick.errors import FlickError
from flick.ids import new_id
from flick.rpc.client import open_channel
from flick.rpc.status import from_rpc_error
from flick.v1 import (
    access_pb2_grpc,
    auth_pb2_grpc,
    enrollment_pb2,
    enrollment_pb2_grpc,
    options_pb2,
    organizations_pb2_grpc,
    server_groups_pb2_grpc,
    servers_pb2,
    servers_pb2_grpc,
)
from services.auth.__main__ import running
from services.auth.config import AuthConfig
from services.auth.credentials.passwords import MEMORY_KIB, PASSES
from services.auth.credentials.signing import load_signing_keys

Metadata = tuple[tuple[str, str], ...]

INGEST_ADDRESS = "monitoring.example:7443"
PUBLIC_URL = "https://monitoring.example:7080"
PASSWORD = "correct horse battery staple"
PASSWORD_HASH = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1).hash(PASSWORD)


class HandClock(SystemClock):
    """The real clock, whose wall time a test can put forward."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def time_unix_nano(self) -> int:
        return super().time_unix_nano() + int(self._ahead_s * 1e9)

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account, and the credential of their calls."""

    user_id: UUID
    organization_id: UUID
    email: str
    metadata: Metadata


class AuthHouse:
    """A running auth and its clients."""

    def __init__(self, *, config: AuthConfig, owner_url: str, clock: HandClock, secrets: dict[str, str]) -> None:
        self.config = config
        self.owner_url = owner_url
        self.clock = clock
        self.secrets = secrets
        self.signer = load_signing_keys(config.signing_keys_dir).signer
        self.address = ""

    def connect(self, channel: grpc.aio.Channel, address: str) -> None:
        self.address = address
        self.sessions = auth_pb2_grpc.AuthServiceStub(channel)
        self.organizations = organizations_pb2_grpc.OrganizationServiceStub(channel)
        self.servers = servers_pb2_grpc.ServerServiceStub(channel)
        self.groups = server_groups_pb2_grpc.ServerGroupServiceStub(channel)
        self.enrollment = enrollment_pb2_grpc.EnrollmentServiceStub(channel)
        self.access = access_pb2_grpc.AccessServiceStub(channel)

    async def sql(self, statement: str, *arguments: Any, as_service: bool = False) -> list[asyncpg.Record]:
        """Run a statement behind the service's back, as the owner of the schema or as the service's own role."""
        connection = await asyncpg.connect(self.config.database_url if as_service else self.owner_url)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def organization(self) -> UUID:
        organization_id = new_id()
        await self.sql("insert into auth.organizations values ($1, 'Acme', now())", organization_id)
        return organization_id

    async def person(self, *, role: int = options_pb2.ROLE_OWNER, organization_id: UUID | None = None) -> Person:
        """A new person, in an organization of their own unless one is given."""
        organization_id = organization_id or await self.organization()
        user_id, email = new_id(), f"p{secrets.token_hex(6)}@example.org"
        await self.sql("insert into auth.users values ($1, $2, $3, now())", user_id, email, PASSWORD_HASH)
        await self.join(user_id, organization_id, role)
        return Person(
            user_id=user_id, organization_id=organization_id, email=email, metadata=self.user_metadata(user_id)
        )

    async def join(self, user_id: UUID, organization_id: UUID, role: int) -> None:
        await self.sql("insert into auth.memberships values ($1, $2, $3, now())", organization_id, user_id, role)

    def user_metadata(self, user_id: UUID) -> Metadata:
        token = self.signer.sign(
            subject=str(user_id),
            audience=tokens.USER_AUDIENCE,
            token_type=tokens.ACCESS_TOKEN_TYPE,
            lifetime_s=60,
            session=str(new_id()),
        )
        return bearer(token)

    def service_metadata(self, service: str = "ingest", *, audience: str = "auth") -> Metadata:
        token = self.signer.sign(
            subject=service, audience=audience, token_type=tokens.SERVICE_TOKEN_TYPE, lifetime_s=60
        )
        return bearer(token)

    async def join_token(self, person: Person, **fields: Any) -> enrollment_pb2.CreateJoinTokenResponse:
        request = enrollment_pb2.CreateJoinTokenRequest(organization_id=str(person.organization_id), **fields)
        return await self.enrollment.CreateJoinToken(request, metadata=person.metadata)

    async def server(self, person: Person, *, hostname: str = "db-1") -> enrollment_pb2.EnrollServerResponse:
        """A server that has joined the person's organization."""
        token = (await self.join_token(person)).token
        return await self.enrollment.EnrollServer(
            enrollment_pb2.EnrollServerRequest(token=token, host=servers_pb2.Host(hostname=hostname))
        )

    def now(self) -> Any:
        return utc(self.clock)


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


async def refusal(call: Awaitable[Any]) -> FlickError:
    """The error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


def make_config(*, database_url: str, folder: Path, known: dict[str, str], **fields: Any) -> AuthConfig:
    secrets_file = folder / "service_secrets.toml"
    secrets_file.write_text(
        "".join(f'{name} = "{hashlib.sha256(text.encode()).hexdigest()}"\n' for name, text in known.items())
    )
    return AuthConfig(
        **{
            "database_url": database_url,
            "listen": "127.0.0.1:0",
            "signing_keys_dir": folder / "keys",
            "service_secrets_file": secrets_file,
            "public_ingest_address": INGEST_ADDRESS,
            "public_url": PUBLIC_URL,
            **fields,
        }
    )


@asynccontextmanager
async def auth_house(*, database_url: str, owner_url: str, folder: Path, **fields: Any) -> AsyncIterator[AuthHouse]:
    """Auth, serving while entered."""
    known = {"ingest": secrets.token_urlsafe(24), "query": secrets.token_urlsafe(24)}
    config = make_config(database_url=database_url, folder=folder, known=known, **fields)
    clock = HandClock()
    async with running(config, clock=clock, registry=CollectorRegistry()) as server:
        house = AuthHouse(config=config, owner_url=owner_url, clock=clock, secrets=known)
        async with open_channel(server.address) as channel:
            house.connect(channel, server.address)
            yield house

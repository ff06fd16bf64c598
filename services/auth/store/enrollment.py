"""Join tokens, and the servers that join by them."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from flick.ids import new_id
from flick.tokens import AGENT_KEY_PREFIX, OpaqueToken, make_opaque
from flick.v1 import enrollment_pb2, servers_pb2
from services.auth.rules.joining import refusal, server_name
from services.auth.store import QUERIES, host_facts, rows

_SQL = load_queries(QUERIES / "enrollment.sql")


@dataclass(frozen=True, kw_only=True)
class NewServer:
    """A server that has just been added, and its agent's key, which nobody can ask for again."""

    server: servers_pb2.Server
    agent_key: str


class EnrollmentStore:
    """Join tokens in PostgreSQL."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def create_token(
        self, token: OpaqueToken, *, organization_id: UUID, display_name: str, now: datetime, expire_time: datetime
    ) -> enrollment_pb2.JoinToken:
        """Keep a new join token; of its secret only the hash."""
        await self._pool.execute(
            _SQL["create_join_token"],
            token.id,
            organization_id,
            token.secret_sha256,
            display_name,
            now,
            expire_time,
        )
        return enrollment_pb2.JoinToken(
            join_token_id=str(token.id),
            organization_id=str(organization_id),
            server_display_name=display_name,
            create_time=rows.timestamp(now),
            expire_time=rows.timestamp(expire_time),
        )

    async def usable_tokens(
        self, *, organization_id: UUID, now: datetime, before: UUID | None, limit: int
    ) -> Sequence[enrollment_pb2.JoinToken]:
        """The join tokens that can still be used and were made before `before`, newest first."""
        found = await self._pool.fetch(_SQL["list_join_tokens"], organization_id, now, before, limit)
        return [rows.join_token(row) for row in found]

    async def role_for_token(self, *, join_token_id: UUID, user_id: UUID) -> int | None:
        """The person's role in the token's organization; None when they have none or there is no such token."""
        role: int | None = await self._pool.fetchval(_SQL["find_role_for_join_token"], join_token_id, user_id)
        return role

    async def delete_token(self, *, join_token_id: UUID) -> None:
        """End a join token."""
        await self._pool.execute(_SQL["delete_join_token"], join_token_id)

    async def enroll(
        self, presented: OpaqueToken, *, host: servers_pb2.Host, agent_version: str, now: datetime
    ) -> NewServer:
        """Exchange a join token for a new server with a key. Raises UNAUTHENTICATED when it can't be used."""
        async with self._pool.acquire() as connection, connection.transaction():
            used = await connection.fetchrow(_SQL["use_join_token"], presented.id, presented.secret_sha256, now)
            if used is None:
                raise await _refusal(connection, presented)
            return await add_server(
                connection,
                organization_id=used["organization_id"],
                display_name=server_name(wanted=used["server_display_name"], host=host),
                host=host,
                agent_version=agent_version,
                now=now,
            )


async def add_server(
    connection: Connection,
    *,
    organization_id: UUID,
    display_name: str,
    host: servers_pb2.Host,
    agent_version: str,
    now: datetime,
    is_local: bool = False,
) -> NewServer:
    """Add a server with the default settings and one key, within the caller's transaction."""
    server_id = new_id()
    await connection.execute(
        _SQL["add_server"],
        server_id,
        organization_id,
        display_name,
        host.hostname,
        host.os_type,
        host.os_description,
        host.arch,
        host_facts.pack(host),
        agent_version,
        is_local,
        now,
    )
    await connection.execute(_SQL["add_server_settings"], server_id, organization_id)
    agent_key = await _add_agent_key(connection, server_id=server_id, now=now)
    server = servers_pb2.Server(
        server_id=str(server_id),
        organization_id=str(organization_id),
        display_name=display_name,
        host=host,
        agent_version=agent_version,
        create_time=rows.timestamp(now),
    )
    return NewServer(server=server, agent_key=agent_key)


async def replace_agent_keys(connection: Connection, *, server_id: UUID, now: datetime) -> str:
    """The one valid key that a server's agent has from now on, within the caller's transaction."""
    await connection.execute(_SQL["revoke_agent_keys"], server_id, now)
    return await _add_agent_key(connection, server_id=server_id, now=now)


async def _add_agent_key(connection: Connection, *, server_id: UUID, now: datetime) -> str:
    key = make_opaque(prefix=AGENT_KEY_PREFIX, token_id=new_id())
    await connection.execute(_SQL["add_agent_key"], key.id, server_id, key.secret_sha256, now)
    return key.text


async def _refusal(connection: Connection, presented: OpaqueToken) -> Exception:
    row = await connection.fetchrow(_SQL["find_join_token"], presented.id)
    right = row is not None and hmac.compare_digest(row["secret_sha256"], presented.secret_sha256)
    return refusal(secret_is_right=right, use_time=row["use_time"] if row else None)

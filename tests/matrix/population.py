"""Two organizations with everybody and everything that the matrix needs, written straight into auth's tables."""

import time
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from flick import tokens
from flick.ids import new_id
from flick.v1 import options_pb2
from tests.matrix.table import What, Who

ROLES = {
    Who.VIEWER: options_pb2.ROLE_VIEWER,
    Who.MEMBER: options_pb2.ROLE_MEMBER,
    Who.ADMIN: options_pb2.ROLE_ADMIN,
    Who.OTHER: options_pb2.ROLE_OWNER,
}
SERVICES = {Who.INGEST: "ingest", Who.QUERY: "query"}


@dataclass
class Population:
    """Who and what there is. `OWN` is the first organization's, `FOREIGN` the other's."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    signer: tokens.Signer | None = None
    organizations: dict[What, UUID] = field(default_factory=dict)
    users: dict[Who, UUID] = field(default_factory=dict)
    servers: dict[What, UUID] = field(default_factory=dict)
    agent_key: str = ""
    revoked_agent_key: str = ""

    async def settle(self) -> None:
        """Write everything that stays for the whole run."""
        for what in (What.OWN, What.FOREIGN):
            self.organizations[what] = new_id()
            await self.connection.execute(
                "insert into auth.organizations (organization_id, display_name, create_time) values ($1, $2, now())",
                self.organizations[what],
                what.value,
            )
            self.servers[what] = await self.server(what)
        for who, role in ROLES.items():
            await self._user(who, role, self.organizations[What.FOREIGN if who is Who.OTHER else What.OWN])
        self.agent_key, _ = await self.key(self.servers[What.OWN], self.organizations[What.OWN])
        self.revoked_agent_key, key_id = await self.key(self.servers[What.OWN], self.organizations[What.OWN])
        await self.connection.execute("update auth.agent_keys set revoke_time = now() where key_id = $1", key_id)

    async def server(self, what: What) -> UUID:
        """A new server of the organization."""
        server_id = new_id()
        await self.connection.execute(
            "insert into auth.servers (server_id, organization_id, display_name, hostname, os_type, os_description, "
            "arch, agent_version, create_time) values ($1, $2, 's', 's', 'linux', 'Linux', 'amd64', '1', now())",
            server_id,
            self.organizations[what],
        )
        await self.connection.execute(
            "insert into auth.server_settings (server_id, organization_id) values ($1, $2)",
            server_id,
            self.organizations[what],
        )
        return server_id

    async def key(self, server_id: UUID, organization_id: UUID) -> tuple[str, UUID]:
        """A new agent key: its text and its id."""
        made = tokens.make_opaque(prefix=tokens.AGENT_KEY_PREFIX, token_id=new_id())
        await self.connection.execute(
            "insert into auth.agent_keys (key_id, server_id, organization_id, secret_sha256, create_time) "
            "values ($1, $2, $3, $4, now())",
            made.id,
            server_id,
            organization_id,
            made.secret_sha256,
        )
        return made.text, made.id

    async def server_group(self, what: What) -> UUID:
        """A new group of the organization."""
        group_id = new_id()
        await self.connection.execute(
            "insert into auth.server_groups (server_group_id, organization_id, display_name, create_time) "
            "values ($1, $2, $3, now())",
            group_id,
            self.organizations[what],
            str(group_id),
        )
        return group_id

    async def join_token(self, what: What) -> UUID:
        """A new join token of the organization."""
        made = tokens.make_opaque(prefix=tokens.JOIN_TOKEN_PREFIX, token_id=new_id(), fingerprint="none")
        await self.connection.execute(
            "insert into auth.join_tokens (join_token_id, organization_id, secret_sha256, server_display_name, "
            "create_time, expire_time) values ($1, $2, $3, '', now(), now() + interval '1 hour')",
            made.id,
            self.organizations[what],
            made.secret_sha256,
        )
        return made.id

    def credential(self, who: Who, *, audience: str) -> str:
        """What this kind of caller sends as its bearer; empty: nothing."""
        assert self.signer is not None
        if who is Who.ANONYMOUS:
            return ""
        if who is Who.AGENT:
            return self.agent_key
        if who is Who.REVOKED_AGENT:
            return self.revoked_agent_key
        if who in SERVICES:
            return self.signer.sign(
                subject=SERVICES[who], audience=audience, token_type=tokens.SERVICE_TOKEN_TYPE, lifetime_s=300
            )
        user = self.users[Who.ADMIN if who is Who.EXPIRED else who]
        lifetime_s = -tokens.CLOCK_LEEWAY_S - 1 if who is Who.EXPIRED else 300
        return self.signer.sign(
            subject=str(user),
            audience=tokens.USER_AUDIENCE,
            token_type=tokens.ACCESS_TOKEN_TYPE,
            lifetime_s=lifetime_s,
            session=str(new_id()),
        )

    async def _user(self, who: Who, role: int, organization_id: UUID) -> None:
        self.users[who] = new_id()
        await self.connection.execute(
            "insert into auth.users (user_id, email, password_hash, create_time) values ($1, $2, 'none', now())",
            self.users[who],
            f"{who.name.lower()}.{time.time_ns()}@example.org",
        )
        await self.connection.execute(
            "insert into auth.memberships (organization_id, user_id, role, create_time) values ($1, $2, $3, now())",
            organization_id,
            self.users[who],
            role,
        )

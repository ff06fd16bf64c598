"""The first organization, its owner, and the machine that FLick runs on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from flick.ids import new_id
from flick.v1 import options_pb2, servers_pb2
from services.auth.rules.joining import server_name
from services.auth.store import QUERIES
from services.auth.store.enrollment import add_server, replace_agent_keys

ORGANIZATION_NAME = "Home"

_SQL = load_queries(QUERIES / "bootstrap.sql")


@dataclass(frozen=True, kw_only=True)
class FirstAdmin:
    """Who owns the first organization."""

    email: str
    password_hash: str


@dataclass(frozen=True, kw_only=True)
class Bootstrapped:
    """What there is now. `created` is whether the organization is new, `agent_key` is None unless it is new."""

    created: bool
    organization_id: str
    server_id: str
    agent_key: str | None


class BootstrapStore:
    """Makes what an installation can't begin without."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def run(
        self,
        *,
        first_admin: Callable[[], Awaitable[FirstAdmin]],
        host: servers_pb2.Host,
        version: str,
        new_agent_key: bool,
        now: datetime,
    ) -> Bootstrapped:
        """Make what is missing, all or nothing; several at once make it once.

        Args:
            first_admin: asked only when there is no organization.
            host: the machine that FLick runs on.
            version: of the agent that runs here.
            new_agent_key: revoke this machine's keys and make a new one.
            now: the moment that new rows carry.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["lock_bootstrap"])
            organization_id = await connection.fetchval(_SQL["find_first_organization"])
            created = organization_id is None
            if organization_id is None:
                organization_id = await _add_organization(connection, await first_admin(), now=now)
            server_id = await connection.fetchval(_SQL["find_local_server"])
            agent_key = None
            if server_id is None:
                added = await add_server(
                    connection,
                    organization_id=organization_id,
                    display_name=server_name(wanted="", host=host),
                    host=host,
                    agent_version=version,
                    now=now,
                    is_local=True,
                )
                server_id, agent_key = added.server.server_id, added.agent_key
            elif new_agent_key:
                agent_key = await replace_agent_keys(connection, server_id=server_id, now=now)
        return Bootstrapped(
            created=created, organization_id=str(organization_id), server_id=str(server_id), agent_key=agent_key
        )


async def _add_organization(connection: Connection, admin: FirstAdmin, *, now: datetime) -> UUID:
    organization_id, user_id = new_id(), new_id()
    await connection.execute(_SQL["add_organization"], organization_id, ORGANIZATION_NAME, now)
    await connection.execute(_SQL["add_user"], user_id, admin.email, admin.password_hash, now)
    await connection.execute(_SQL["add_membership"], organization_id, user_id, options_pb2.ROLE_OWNER, now)
    return organization_id

"""The registry of servers: what people say of them, and their agents' keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from flick.db.pool import Connection, Pool, Row
from flick.db.queries import load_queries
from flick.errors import not_found
from flick.v1 import servers_pb2
from services.auth.filters.conditions import Condition
from services.auth.filters.ordering import Order
from services.auth.rules.servers import BatchChange, ServerChange, too_many_tags, unknown_group
from services.auth.store import QUERIES, rows
from services.auth.store.settings import Owner, set_settings

FIRST_FREE = 6  # the first parameter that list_servers leaves to a filter

_SQL = load_queries(QUERIES / "servers.sql")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A server and the value that it was sorted by."""

    server: servers_pb2.Server
    key: Any


class ServerStore:
    """Servers in PostgreSQL. Deleted ones are not to be found."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self,
        *,
        user_id: UUID,
        organization_id: UUID | None,
        condition: Condition,
        order: Order,
        after: tuple[Any, UUID] | None,
        limit: int,
    ) -> Sequence[Listed]:
        """Those servers of a person's organizations, or of one, that meet `condition` and come after a key and id."""
        key, server_id = after or (None, None)
        statement = _listing(condition, order)
        found = await self._pool.fetch(statement, user_id, organization_id, key, server_id, limit, *condition.arguments)
        return [Listed(server=rows.server(row), key=row["sort_key"]) for row in found]

    async def get(self, *, server_id: UUID) -> servers_pb2.Server | None:
        """A server."""
        row = await self._pool.fetchrow(_SQL["get_server"], server_id)
        return rows.server(row) if row else None

    async def update(self, *, server_id: UUID, change: ServerChange) -> servers_pb2.Server | None:
        """The server after a change. Raises INVALID_ARGUMENT when its new group is not of its organization."""
        async with self._pool.acquire() as connection:
            found = await _update(connection, [server_id], change)
        return rows.server(found[0]) if found else None

    async def update_alike(self, *, server_ids: Sequence[UUID], change: BatchChange) -> None:
        """Change several servers, all or none.

        Raises NOT_FOUND when one of them is gone, INVALID_ARGUMENT when one may not be in the new group or would have
        too many tags.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            locked = await connection.fetch(_SQL["lock_servers"], server_ids)
            if len(locked) < len(server_ids):
                raise not_found("server")
            await _update(connection, server_ids, change.fields)
            if change.settings:
                await set_settings(connection, Owner.SERVER, owner_ids=server_ids, change=change.settings)

    async def delete(self, *, server_id: UUID, now: datetime) -> bool:
        """Take the server out of sight and end its agent's keys. Whether there was one."""
        async with self._pool.acquire() as connection, connection.transaction():
            deleted = await connection.fetchval(_SQL["delete_server"], server_id, now)
            await connection.execute(_SQL["revoke_agent_keys"], server_id, now)
        return deleted is not None

    async def agent_keys(self, *, server_id: UUID, before: UUID | None, limit: int) -> Sequence[servers_pb2.AgentKey]:
        """The keys of a server's agent that were made before `before`, newest first."""
        found = await self._pool.fetch(_SQL["list_agent_keys"], server_id, before, limit)
        return [rows.agent_key(row) for row in found]

    async def revoke_agent_key(self, *, server_id: UUID, key_id: UUID, now: datetime) -> servers_pb2.AgentKey | None:
        """The key, revoked."""
        row = await self._pool.fetchrow(_SQL["revoke_agent_key"], server_id, key_id, now)
        return rows.agent_key(row) if row else None


async def _update(connection: Connection, server_ids: Sequence[UUID], change: ServerChange) -> Sequence[Row]:
    try:
        return await connection.fetch(
            _SQL["update_servers"],
            server_ids,
            change.display_name,
            change.tags,
            change.description,
            change.category,
            change.server_group_id,
            change.leaves_group,
            change.add_tags,
            change.remove_tags,
        )
    except asyncpg.ForeignKeyViolationError as error:
        raise unknown_group() from error
    except asyncpg.CheckViolationError as error:  # of what changes, only tags are not checked before
        raise too_many_tags() from error


def _listing(condition: Condition, order: Order) -> str:
    """The statement with a filter and an order, both made of nothing but what `filters` knows."""
    return (
        _SQL["list_servers"]
        .replace("true /* filter */", condition.text)
        .replace("lower(display_name) /* key */", order.key)
        .replace("text /* kind */", order.kind)
        .replace("> /* after */", "<" if order.descending else ">")
        .replace("/* way */", "desc" if order.descending else "")
    )

"""Groups of servers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.errors import FlickError, Kind
from flick.ids import new_id
from flick.v1 import server_groups_pb2
from services.auth.rules.server_groups import MAX_GROUPS, GroupChange
from services.auth.store import QUERIES, rows

_SQL = load_queries(QUERIES / "server_groups.sql")


class ServerGroupStore:
    """Groups of servers in PostgreSQL."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self, *, user_id: UUID, organization_id: UUID | None, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[server_groups_pb2.ServerGroup]:
        """The groups of a person's organizations, or of one, that come after a name and id, by name."""
        name, group_id = after or (None, None)
        found = await self._pool.fetch(_SQL["list_server_groups"], user_id, organization_id, name, group_id, limit)
        return [rows.server_group(row) for row in found]

    async def get(self, *, server_group_id: UUID) -> server_groups_pb2.ServerGroup | None:
        """A group."""
        row = await self._pool.fetchrow(_SQL["get_server_group"], server_group_id)
        return rows.server_group(row) if row else None

    async def role_for_group(self, *, server_group_id: UUID, user_id: UUID) -> int | None:
        """The person's role in the group's organization; None when they have none or there is no such group."""
        role: int | None = await self._pool.fetchval(_SQL["find_role_for_server_group"], server_group_id, user_id)
        return role

    async def create(self, *, organization_id: UUID, display_name: str, description: str, now: datetime) -> UUID:
        """Add a group and return its id.

        Raises ALREADY_EXISTS when its name is taken, FAILED_PRECONDITION when the organization has too many.
        """
        server_group_id = new_id()
        async with self._pool.acquire() as connection, _name_taken(), connection.transaction():
            if await connection.fetchval(_SQL["count_server_groups"], organization_id) >= MAX_GROUPS:
                raise FlickError(
                    Kind.FAILED_PRECONDITION, f"The organization has {MAX_GROUPS} server groups; delete one first."
                )
            await connection.execute(
                _SQL["add_server_group"], server_group_id, organization_id, display_name, description, now
            )
        return server_group_id

    async def update(self, *, server_group_id: UUID, change: GroupChange) -> server_groups_pb2.ServerGroup | None:
        """The group after a change. Raises ALREADY_EXISTS when its new name is taken."""
        async with _name_taken():
            await self._pool.execute(
                _SQL["update_server_group"], server_group_id, change.display_name, change.description
            )
        return await self.get(server_group_id=server_group_id)

    async def delete(self, *, server_group_id: UUID) -> None:
        """Remove a group."""
        await self._pool.execute(_SQL["delete_server_group"], server_group_id)


@asynccontextmanager
async def _name_taken() -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise FlickError(
            Kind.ALREADY_EXISTS, "Another server group of the organization has this display name; choose another."
        ) from error

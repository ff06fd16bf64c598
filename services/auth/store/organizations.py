"""Organizations and who has which role in them."""

from collections.abc import Sequence
from uuid import UUID

from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.v1 import organizations_pb2
from services.auth.store import QUERIES, rows

_SQL = load_queries(QUERIES / "organizations.sql")


class OrganizationStore:
    """Organizations in PostgreSQL."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def roles(self, *, user_id: UUID) -> dict[str, int]:
        """A person's roles by organization id."""
        found = await self._pool.fetch(_SQL["list_roles"], user_id)
        return {str(row["organization_id"]): row["role"] for row in found}

    async def page(self, *, user_id: UUID, after: UUID | None, limit: int) -> Sequence[organizations_pb2.Organization]:
        """A person's organizations that were made after `after`, oldest first."""
        found = await self._pool.fetch(_SQL["list_organizations"], user_id, after, limit)
        return [rows.organization(row) for row in found]

    async def get(self, *, organization_id: UUID) -> organizations_pb2.Organization | None:
        """An organization."""
        row = await self._pool.fetchrow(_SQL["get_organization"], organization_id)
        return rows.organization(row) if row else None

    async def rename(self, *, organization_id: UUID, display_name: str) -> organizations_pb2.Organization | None:
        """The organization under its new name."""
        row = await self._pool.fetchrow(_SQL["rename_organization"], organization_id, display_name)
        return rows.organization(row) if row else None

"""What is set for servers, for their groups and for whole organizations."""

from collections.abc import Sequence
from enum import Enum
from uuid import UUID

from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from flick.v1 import servers_pb2
from services.auth.rules.settings import CHANGEABLE, SettingsChange, effective
from services.auth.store import QUERIES, rows

_SQL = load_queries(QUERIES / "settings.sql")


class Owner(Enum):
    """Whose settings are meant; the value begins the names of statements."""

    ORGANIZATION = "organization"
    SERVER_GROUP = "server_group"
    SERVER = "server"


class SettingsStore:
    """Settings in PostgreSQL. Whoever inherits a change is told by the triggers of the tables."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def get(self, owner: Owner, *, owner_id: UUID) -> servers_pb2.ServerSettings:
        """What is in effect for `owner`, and the level that each value comes from."""
        found = await self._pool.fetch(_SQL[f"get_{owner.value}_levels"], owner_id)
        return effective((rows.level(row["level"]), rows.overrides(row)) for row in found)

    async def change(self, owner: Owner, *, owner_id: UUID, change: SettingsChange) -> servers_pb2.ServerSettings:
        """What is in effect after a change; of two changes at once none is lost."""
        async with self._pool.acquire() as connection:
            await set_settings(connection, owner, owner_ids=[owner_id], change=change)
        return await self.get(owner, owner_id=owner_id)


async def set_settings(
    connection: Connection, owner: Owner, *, owner_ids: Sequence[UUID], change: SettingsChange
) -> None:
    """Set or clear some settings of every one of `owner_ids`, within the caller's transaction if there is one."""
    pairs = [part for name in CHANGEABLE for part in (name in change, change.get(name))]
    await connection.execute(_SQL[f"set_{owner.value}"], owner_ids, *pairs)

"""What agents tell of their hosts after they have joined."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.v1 import servers_pb2
from services.auth.store import QUERIES, host_facts

_SQL = load_queries(QUERIES / "hosts.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldHost:
    """A host as its agent tells of it, checked, and the agent's version."""

    host: servers_pb2.Host
    agent_version: str


class HostStore:
    """Hosts in PostgreSQL, which are part of their servers' rows."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def update(self, told: Mapping[UUID, ToldHost], *, now: datetime) -> int:
        """Keep what is other than before, by server; of how many servers that was. One that is gone is passed over."""
        hosts = [one.host for one in told.values()]
        changed = await self._pool.fetch(
            _SQL["update_hosts"],
            list(told),
            [host.hostname for host in hosts],
            [host.os_type for host in hosts],
            [host.os_description for host in hosts],
            [host.arch for host in hosts],
            [host_facts.pack(host) for host in hosts],
            [one.agent_version for one in told.values()],
            now,
        )
        return len(changed)

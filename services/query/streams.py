"""Reads the newest streams of agents, which ingest keeps in the schema `telemetry`."""

from collections.abc import Mapping, Sequence

from flick.db.pool import Pool, Row
from flick.db.queries import load_queries
from services.query.deliveries import GONE_AFTER
from services.query.layouts import QUERIES
from services.query.rules.fleet import Stream


class Streams:
    """Agents' streams in PostgreSQL. Raises as `flick.db.pool` says.

    Args:
        pool: connections as role flick_query.
    """

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool
        self._queries = load_queries(QUERIES)

    async def newest(self, server_ids: Sequence[str]) -> Mapping[str, Stream]:
        """The newest stream of each server that had one."""
        found = await self._pool.fetch(self._queries["newest_streams"], server_ids, GONE_AFTER)
        return {str(row["server_id"]): _stream(row) for row in found}


def _stream(row: Row) -> Stream:
    ended = row["ended_at"]
    return Stream(
        opened_us=int(row["opened_at"].timestamp() * 1e6),
        ended_us=None if ended is None else int(ended.timestamp() * 1e6),
        end_reason=row["end_reason"] or "",
        connected=row["connected"],
    )

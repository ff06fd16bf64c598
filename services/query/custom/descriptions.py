"""The custom metrics of servers: what their agents and pushes ever called so."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from flick.custom_metrics import is_name
from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.errors import invalid
from flick.ids import parse_id, pushed_source
from flick.v1 import query_pb2
from services.query.rules.catalog import Catalog

QUERIES = Path(__file__).with_name("queries.sql")
MAX_LISTED = 2000


class CustomMetrics:
    """Knows custom metrics by server. Raises as `flick.db.pool` says.

    Args:
        pool: connections as role flick_query.
        catalog: the built-in metrics.
    """

    def __init__(self, *, pool: Pool, catalog: Catalog) -> None:
        self._pool = pool
        self._catalog = catalog
        self._queries = load_queries(QUERIES)

    async def check(self, server_ids: Sequence[str], names: Sequence[str]) -> None:
        """Raise INVALID_ARGUMENT naming the closest name when one is of the catalogue nor of any of these servers."""
        asked = [name for name in dict.fromkeys(names) if is_name(name)]
        if not asked:
            return
        sources = _sources(server_ids)
        known = await self._pool.fetchval(self._queries["known_custom_names"], sources, asked)
        unknown = next((name for name in asked if name not in known), None)
        if unknown is None:
            return
        theirs = [row["name"] for row in await self._pool.fetch(self._queries["custom_metrics"], sources, MAX_LISTED)]
        raise invalid(
            "names",
            f"{unknown[:100]!r} is no metric of the catalogue, and no custom one that was ever sent; "
            f"the closest is {self._catalog.closest(unknown, theirs)!r}.",
        )

    async def descriptors(self, server_id: str) -> list[query_pb2.MetricDescriptor]:
        """The metrics of a server, by name: the built-in ones, and its own."""
        rows = await self._pool.fetch(self._queries["custom_metrics"], _sources([server_id]), MAX_LISTED)
        custom = {
            row["name"]: query_pb2.MetricDescriptor(
                name=row["name"],
                description=row["description"],
                unit=row["unit"],
                kind=row["kind"],
                label_keys=row["label_keys"],
                custom=True,
            )
            for row in reversed(rows)  # where agent and pushes use the same name, as it was described last
        }
        return sorted([*self._catalog.descriptors(), *custom.values()], key=lambda one: one.name)


def _sources(server_ids: Sequence[str]) -> list[UUID]:
    """Under which ids samples of the servers are stored."""
    known = [server_id for one in server_ids if (server_id := parse_id(one))]
    return [*known, *map(pushed_source, known)]

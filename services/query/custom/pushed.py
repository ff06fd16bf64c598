"""What was pushed to servers, as it is now. History of it is read as that of any other source of samples."""

from pathlib import Path

from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.ids import parse_id, pushed_source
from flick.v1 import query_pb2
from services.query.layouts import parse_layout
from services.query.rules.catalog import Selector, Wanted


class Pushed:
    """The newest value of each pushed series. Raises as `flick.db.pool` says.

    Args:
        pool: connections as role flick_query.
    """

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))

    async def newest(self, server_id: str, wanted: Wanted) -> list[query_pb2.MetricValue]:
        """The newest values that are wanted of a server, by name and labels, each with its time."""
        known = parse_id(server_id)
        if known is None or not (wanted.any_custom or wanted.names):
            return []
        found = []
        for row in await self._pool.fetch(self._queries["pushed_values"], pushed_source(known)):
            ((metric, label_values),) = parse_layout(row["series"])
            if isinstance(metric, Selector) and metric in wanted:
                labels = metric.labels(label_values)
                value = query_pb2.MetricValue(name=metric.name, labels=labels, value=row["value"])
                value.time.FromMilliseconds(row["time_ms"])
                found.append(value)
        return sorted(found, key=lambda one: (one.name, sorted(one.labels.items())))


def pushed_id(server_id: str) -> str | None:
    """Under which id what was pushed to a server is stored; None: it is no server's id."""
    known = parse_id(server_id)
    return str(pushed_source(known)) if known else None

"""What was pushed to servers, as it is now. History of it is read as that of any other source of samples."""

import logging
from pathlib import Path

from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.errors import FlickError, Kind
from flick.ids import parse_id, pushed_source
from flick.v1 import query_pb2
from services.query.layouts import parse_layout
from services.query.rules.catalog import Selector, Wanted

logger = logging.getLogger(__name__)


class Pushed:
    """The newest value of each pushed series.

    Args:
        pool: connections as role flick_query.
    """

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))

    async def newest(self, server_id: str, wanted: Wanted) -> list[query_pb2.MetricValue]:
        """The newest values that are wanted of a server, by name and labels, each with its time.

        None while the database is away: what the agent measured, in whose answer they are, is live without it.
        """
        known = parse_id(server_id)
        if known is None or not (wanted.any_custom or wanted.names):
            return []
        try:
            rows = await self._pool.fetch(self._queries["pushed_values"], pushed_source(known))
        except FlickError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            logger.info("newest values go without what was pushed", extra={"why": error.private or error.public})
            return []
        found = []
        for row in rows:
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

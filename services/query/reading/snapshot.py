"""Reads of plain rows and of sealed hours that see both as they were at one moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from services.query.layouts import QUERIES

_HOLD_ROWS = load_queries(QUERIES)["hold_rows"]
_entered: ContextVar[tuple[Pool, Connection] | None] = ContextVar("entered", default=None)


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """A connection on which every statement sees the same moment, while entered. Raises as `flick.db.pool` says.

    A sample that is sealed meanwhile is seen in its row. The lock comes before the moment is chosen and lets everybody
    write: it only keeps chunks of rows from being given back, which would take the rows away from a moment at which
    they were not sealed yet.

    Within another one it is that one: whoever reads several times for one answer, one after the other, enters one
    around them.
    """
    outer = _entered.get()
    if outer is not None and outer[0] is pool:
        yield outer[1]
        return
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_HOLD_ROWS)
        token = _entered.set((pool, connection))
        try:
            yield connection
        finally:
            _entered.reset(token)

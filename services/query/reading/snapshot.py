"""Reads of plain rows and of sealed hours that see both as they were at one moment."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from services.query.layouts import QUERIES

_BEGIN = load_queries(QUERIES)["begin_snapshot"]


class _Snapshot(NamedTuple):
    pool: Pool
    connection: Connection
    memory: dict[Hashable, Any]


_entered: ContextVar[_Snapshot | None] = ContextVar("entered", default=None)


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
    if outer is not None and outer.pool is pool:
        yield outer.connection
        return
    async with pool.acquire() as connection:
        try:
            await connection.execute(_BEGIN)  # both in one message
            token = _entered.set(_Snapshot(pool, connection, {}))
            try:
                yield connection
            finally:
                _entered.reset(token)
        finally:  # nothing was written that would have to be committed
            if not connection.is_closed():
                await connection.execute("rollback")


def memory() -> dict[Hashable, Any]:
    """What was read in the snapshot that is entered and can't change before its end; a new one where none is."""
    entered = _entered.get()
    return {} if entered is None else entered.memory

"""Connections to PostgreSQL, with limits on every wait."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from flick.errors import FlickError, unavailable

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 5.0


@asynccontextmanager
async def open_pool(
    url: str,
    *,
    application_name: str,
    statement_timeout_s: float,
    max_size: int = 8,
    init: "Callable[[asyncpg.Connection[asyncpg.Record]], Coroutine[Any, Any, None]] | None" = None,
) -> AsyncIterator[Pool]:
    """A pool that is closed on leaving.

    Args:
        url: the database, with the service's own role.
        application_name: how pg_stat_activity names the connections.
        statement_timeout_s: PostgreSQL itself ends a statement that takes longer.
        max_size: how many connections at most.
        init: called with every new connection; raises to refuse it.

    Raises UNAVAILABLE when the database can't be reached.
    """
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=max_size,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=statement_timeout_s + 1,  # PostgreSQL's own limit ends a statement first
            init=init,
            server_settings={
                "application_name": application_name,
                "statement_timeout": str(int(statement_timeout_s * 1000)),
                "timezone": "UTC",
                "jit": "off",  # compiling costs more than these short statements take
            },
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise unavailable("The database can't be reached.", private=str(error)) from error
    try:
        yield pool
    finally:
        await _close(pool)


async def _close(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), timeout=CLOSE_TIMEOUT_S)
    except TimeoutError:
        pool.terminate()


def database_fault(error: Exception) -> FlickError | None:
    """What a caller may know of a failure of the database, or None when `error` is none. For `FaultAspect`."""
    lost = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError, OSError)
    shutdown = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.TooManyConnectionsError)
    slow = (asyncpg.QueryCanceledError, TimeoutError)
    if isinstance(error, (*lost, *shutdown, *slow)):
        return unavailable("The database does not answer now.", private=f"{type(error).__name__}: {error}")
    return None

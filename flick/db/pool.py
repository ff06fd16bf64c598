"""Connections to PostgreSQL: a pool whose every wait has an end, and whose failures are ones that a caller may see."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from flick.db.failures import ENDED, LOST, lost, to_flick_error
from flick.db.pulse import Pulse
from flick.errors import unavailable
from flick.lifecycle import background

Row: TypeAlias = asyncpg.Record
if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[Row]
else:
    Connection = asyncpg.Connection  # takes no parameter at run time

CONNECT_TIMEOUT_S = 5.0
ACQUIRE_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0

logger = logging.getLogger(__name__)


class Pool:
    """Connections that are lent out one by one. Made by `open_pool`.

    Whatever it does raises UNAVAILABLE when the database does not answer, no connection or lock is free in time, or its
    disk is full, and DEADLINE_EXCEEDED when the database cancels a statement that runs too long. Errors of the
    statement itself stay asyncpg's own.
    """

    def __init__(self, *, pool: "asyncpg.Pool[Row]", acquire_timeout_s: float, pulse: Pulse | None) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._pulse = pulse

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend a connection while entered."""
        if self._pulse is None:
            async with self._lend() as connection:
                yield connection
            return
        self._pulse.check()
        try:
            async with asyncio.timeout(None) as limit:
                with self._pulse.cutting(limit):
                    async with self._lend() as connection:
                        try:
                            yield connection
                        except asyncio.CancelledError:
                            if limit.when() is not None:  # to give it back would mean to wait for the silent database
                                connection.terminate()
                            raise
        except TimeoutError as error:
            raise lost(error) from error

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Connection]:
        try:
            lent = await self._pool.acquire(timeout=self._acquire_timeout_s)
        except TimeoutError as error:
            raise unavailable("The database is busy.", private="no connection became free in time") from error
        except (*LOST, *ENDED, asyncpg.InterfaceError) as error:
            raise lost(error) from error
        connection = cast("Connection", lent)  # a proxy with everything that a connection has
        try:
            yield connection
        except asyncpg.InterfaceError as error:
            if _is_broken(connection):  # while it was used; everything else is a mistake of ours
                raise lost(error) from error
            raise
        except asyncpg.InternalClientError as error:  # the server ended it in the very moment in which it was used
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
            raise lost(error) from error
        except (asyncpg.PostgresError, OSError) as error:
            told = to_flick_error(error)
            if told is None:
                raise
            raise told from error
        finally:
            await self._release(lent)

    async def _release(self, lent: "PoolConnectionProxy[Row]") -> None:
        try:
            await self._pool.release(lent, timeout=self._acquire_timeout_s)
        except (*LOST, *ENDED, asyncpg.InterfaceError) as error:
            logger.info("a connection broke while it was given back", extra={"why": str(error)})

    async def fetch(self, query: str, *arguments: Any) -> list[Row]:
        """Every row of a query's answer."""
        async with self.acquire() as connection:
            return await connection.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: Any) -> Row | None:
        """The first row of a query's answer, or None."""
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """The first column of the first row of a query's answer, or None."""
        async with self.acquire() as connection:
            return await connection.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: Any) -> str:
        """Run a statement; returns PostgreSQL's command tag, for example `UPDATE 1`."""
        async with self.acquire() as connection:
            return await connection.execute(query, *arguments)


def _is_broken(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # it broke, and its pool has taken it back already
        return True


@asynccontextmanager
async def open_pool(
    url: str,
    *,
    application_name: str,
    max_size: int = 10,
    acquire_timeout_s: float = ACQUIRE_TIMEOUT_S,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
    lock_timeout_s: float = 0.0,
    fail_fast: bool = False,
    leaves_nothing: bool = False,
) -> AsyncIterator[Pool]:
    """A pool of connections to `url` while entered. It connects when first asked, so a database may come later.

    Args:
        url: `postgresql://user:password@host:port/database`.
        application_name: what PostgreSQL shows the connections as.
        max_size: how many connections there may be.
        acquire_timeout_s: how long to wait for a free connection.
        statement_timeout_s: after which PostgreSQL cancels a statement.
        lock_timeout_s: after which PostgreSQL gives up to wait for a lock; 0: with the statement.
        fail_fast: refuse and end calls within 1.5 s when the database falls silent, at the cost of two questions a
            second on a further connection. For who answers people; a writer may wait.
        leaves_nothing: whoever borrows a connection leaves no setting and no lock behind on it but what ends with a
            transaction, so that it need not be cleaned when it is given back, which takes a statement.
    """
    settings = _server_settings(application_name, statement_timeout_s, lock_timeout_s)
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=max_size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=statement_timeout_s + CONNECT_TIMEOUT_S,  # a server that fell silent cancels nothing by itself
        server_settings=settings,
        reset=_nothing if leaves_nothing else None,  # a transaction that is still open is ended all the same
    )
    pulse = Pulse(connect=partial(asyncpg.connect, url, server_settings=settings)) if fail_fast else None
    try:
        async with AsyncExitStack() as stack:
            if pulse is not None:
                await stack.enter_async_context(background(pulse.run(), name="database-pulse"))
            yield Pool(pool=pool, acquire_timeout_s=acquire_timeout_s, pulse=pulse)
    finally:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _nothing(_connection: object) -> None:
    """What is to be cleaned on a connection on which nothing was left."""


async def connect(
    url: str, *, application_name: str, statement_timeout_s: float | None = STATEMENT_TIMEOUT_S
) -> Connection:
    """A connection of one's own, outside of any pool. Raises UNAVAILABLE when the database does not answer."""
    try:
        return await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=None if statement_timeout_s is None else statement_timeout_s + CONNECT_TIMEOUT_S,
            server_settings=_server_settings(application_name, statement_timeout_s or 0, 0),
        )
    except LOST as error:
        raise lost(error) from error


def _server_settings(application_name: str, statement_timeout_s: float, lock_timeout_s: float) -> dict[str, str]:
    return {
        "application_name": application_name,
        "timezone": "UTC",
        "statement_timeout": str(int(statement_timeout_s * 1000)),
        "lock_timeout": str(int(lock_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": "60s",
    }

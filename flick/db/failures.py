"""What PostgreSQL's failures are to a caller: those that pass by themselves, or when somebody makes room. Pure."""

import asyncpg

from flick.errors import FlickError, Kind, unavailable

DISK_FULL = "DATABASE_DISK_FULL"
"""The reason of the error while the database's disk is full."""

_FULL_RETRY_S = 10.0  # nobody frees a disk within a second

LOST = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)
"""The database can't be reached, or the connection to it broke. OSError holds TimeoutError."""

ENDED = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)
"""The database ends this connection, or all of them after one crashed."""


def to_flick_error(error: BaseException) -> FlickError | None:
    """What a caller may be told; None when the statement itself is to blame."""
    if isinstance(error, (*LOST, *ENDED)):
        return lost(error)
    if isinstance(error, asyncpg.QueryCanceledError):
        return FlickError(
            Kind.DEADLINE_EXCEEDED, "The database took too long.", private=f"statement cancelled: {error}"
        )
    if isinstance(error, asyncpg.LockNotAvailableError):
        return unavailable("The database is busy.", private=f"a lock was not free in time: {error}")
    if isinstance(error, asyncpg.DiskFullError):
        return FlickError(
            Kind.UNAVAILABLE,
            "The database's disk is full. Free space on it, or give it a larger one.",
            private=f"database disk full: {error}",
            reason=DISK_FULL,
            retry_after_s=_FULL_RETRY_S,
        )
    if isinstance(error, (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError)):
        return unavailable("The database can't do that now.", private=f"{type(error).__name__}: {error}")
    return None


def lost(error: BaseException) -> FlickError:
    """UNAVAILABLE: the database does not answer."""
    return unavailable("The database does not answer now.", private=f"{type(error).__name__}: {error}")

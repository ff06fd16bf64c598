"""What callers are told of PostgreSQL's failures: what passes by itself is UNAVAILABLE, our own mistakes are not."""

import asyncpg
import pytest

from flick.db.failures import DISK_FULL, to_flick_error
from flick.errors import Kind


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (asyncpg.DiskFullError("no space"), Kind.UNAVAILABLE, DISK_FULL),
        (asyncpg.OutOfMemoryError("x"), Kind.UNAVAILABLE, "UNAVAILABLE"),
        (asyncpg.PostgresIOError("x"), Kind.UNAVAILABLE, "UNAVAILABLE"),
        (asyncpg.LockNotAvailableError("x"), Kind.UNAVAILABLE, "UNAVAILABLE"),
        (asyncpg.CrashShutdownError("x"), Kind.UNAVAILABLE, "UNAVAILABLE"),
        (asyncpg.CannotConnectNowError("x"), Kind.UNAVAILABLE, "UNAVAILABLE"),
        (ConnectionRefusedError(), Kind.UNAVAILABLE, "UNAVAILABLE"),
        (TimeoutError(), Kind.UNAVAILABLE, "UNAVAILABLE"),
        (asyncpg.QueryCanceledError("x"), Kind.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failure_that_passes_has_a_kind_and_a_reason(error: BaseException, kind: Kind, reason: str) -> None:
    told = to_flick_error(error)

    assert told is not None
    assert (told.kind, told.reason) == (kind, reason)


def test_a_full_disk_is_told_with_its_fix_and_what_the_database_says_stays_private() -> None:
    told = to_flick_error(asyncpg.DiskFullError('could not extend file "base/1/2"'))

    assert told is not None
    assert "Free space" in told.public
    assert "base/1/2" not in told.public
    assert "base/1/2" in told.private


@pytest.mark.parametrize("error", [asyncpg.UniqueViolationError("x"), asyncpg.UndefinedTableError("x"), ValueError()])
def test_a_mistake_of_the_statement_is_nothing_to_wait_for(error: BaseException) -> None:
    assert to_flick_error(error) is None

"""Opens the spool in a file; one that is damaged is put aside, and what can be read of it is taken over."""

import logging
import os
import re
import sqlite3
import uuid
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from agent.spool.disk.salvage import salvage
from agent.spool.disk.sqlite_shelf import DamagedError, SqliteShelf
from agent.spool.lanes.laned import LanedSpool
from agent.spool.lanes.state import State
from agent.spool.limits import SpoolLimits

_KEPT_ASIDE = 2
_SIDES = ("", "-wal", "-shm")  # what a database consists of
_NOT_THE_FILE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM}

logger = logging.getLogger(__name__)


class UnavailableError(Exception):
    """There can be no spool on disk now. The text says why, and what helps."""


def open_spool(path: Path, *, limits: SpoolLimits) -> LanedSpool:
    """The spool in the file `path`, which is made when it is missing. Raises UnavailableError."""
    try:
        existed = path.exists()
        if not existed:
            _make_private(path)
        elif path.stat().st_size == 0:
            raise DamagedError("it is empty")
        return _opened(path, limits)
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror}") from error
    except (sqlite3.Error, DamagedError) as error:
        if not _is_at_fault(path, error):
            raise UnavailableError(reason_of(error, path)) from error
        why = str(error)
    try:
        return _renewed(path, limits, why)
    except (OSError, sqlite3.Error) as error:
        raise UnavailableError(reason_of(error, path)) from error


def spool_name(server_id: str) -> str:
    """The name of the file with a server's samples; another server's must not be sent as its own."""
    return f"spool-{re.sub('[^0-9A-Za-z-]', '_', server_id)}.db"


def reason_of(error: Exception, path: Path) -> str:
    """Why the spool can't be used, for the operator."""
    if isinstance(error, sqlite3.Error):
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            return f"{path}: the disk is full"
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return f"{path} is in use by another process; each agent needs a spool of its own"
    if isinstance(error, TimeoutError):
        return f"{path}: the disk does not answer"
    return f"{path}: {error}"


def _opened(path: Path, limits: SpoolLimits) -> LanedSpool:
    shelf = SqliteShelf(path)
    try:
        state = shelf.load() or State(spool_id=str(uuid.uuid4()))
        return LanedSpool(shelf=shelf, state=state, limits=limits)
    except BaseException:
        shelf.close()
        raise


def _renewed(path: Path, limits: SpoolLimits, why: str) -> LanedSpool:
    damaged = _put_aside(path)
    _make_private(path)
    shelf = SqliteShelf(path)
    try:
        state, read = salvage(damaged=damaged, into=shelf, fresh=State(spool_id=str(uuid.uuid4())))
        logger.warning(
            "the spool was damaged and is put aside: %s", why, extra={"aside": str(damaged), "read_samples": read}
        )
        spool = LanedSpool(shelf=shelf, state=state, limits=limits)
        spool.demote()
    except BaseException:
        shelf.close()
        raise
    return spool


def _put_aside(path: Path) -> Path:
    """Rename a database; the oldest of those that were renamed before goes."""
    places = [path, *(path.with_name(f"{path.name}.damaged-{number}") for number in range(1, _KEPT_ASIDE + 1))]
    for place, further in reversed(list(pairwise(places))):
        for side in _SIDES:
            moved = place.with_name(place.name + side)
            to = further.with_name(further.name + side)
            to.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                moved.rename(to)
    return places[1]


def _make_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _is_at_fault(path: Path, error: Exception) -> bool:
    """Whether it is the file, and not the disk or another process."""
    if isinstance(error, sqlite3.Error) and _code(error) in _NOT_THE_FILE:
        return False
    probe = path.with_name(f".{path.name}.probe")
    try:
        with probe.open("wb") as file:
            file.write(bytes(64 * 1024))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return True


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF

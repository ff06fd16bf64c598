"""Checks of the machine itself: Python, folders, disk, ports, limits."""

import os
import resource
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local.doctor.finding import Finding, fail, ok, warn
from deploy.local.errors import LocalError
from deploy.local.machine.account import PREFERRED, database_account, require_reach
from deploy.local.machine.ports import is_free

OLDEST_PYTHON = (3, 11)
_GIB = 1024**3
LEAST_FREE_BYTES = _GIB // 2  # the runtime takes 170 MB, an empty database 100 MB, its write-ahead log grows from there
COMFORTABLE_FREE_BYTES = 4 * _GIB
LEAST_OPEN_FILES = 4096  # a connection for each agent and viewer, and the database's files


def python(version: Sequence[int] = tuple(sys.version_info[:3])) -> Finding:
    """Judge the version of Python."""
    text = ".".join(str(number) for number in version)
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return ok("python", text)
    return fail("python", f"{text} is too old", mend="install Python 3.11 or newer, then run `make clean install`")


def virtual_environment() -> Finding:
    """Judge whether this runs in a virtual environment."""
    if sys.prefix != sys.base_prefix:
        return ok("virtual environment", sys.prefix)
    return warn(
        "virtual environment",
        "FLick runs in the system's Python",
        mend="run `make install`, then use `.venv/bin/flick`",
    )


def folder(name: str, path: Path) -> Finding:
    """Judge whether a folder, or the one that it will be made in, can be written to and reached by the database."""
    existing = nearest_existing(path)
    if not os.access(existing, os.W_OK):
        return fail(name, f"{existing} cannot be written to", mend="choose another folder, or become its owner")
    try:
        require_reach(database_account(), path)
    except LocalError as error:
        return fail(name, "the database cannot reach it", mend=str(error))
    return ok(name, str(path))


def disk(name: str, path: Path) -> Finding:
    """Judge the free space where a folder lies."""
    free = shutil.disk_usage(nearest_existing(path)).free
    detail = f"{free / _GIB:.1f} GiB free at {path}"
    if free < LEAST_FREE_BYTES:
        return fail(name, detail, mend=f"make room: at least {LEAST_FREE_BYTES / _GIB:.1f} GiB are needed")
    if free < COMFORTABLE_FREE_BYTES:
        return warn(name, detail, mend=f"{COMFORTABLE_FREE_BYTES / _GIB:.0f} GiB or more let history grow")
    return ok(name, detail)


def account() -> Finding:
    """Judge whom the database runs as."""
    try:
        chosen = database_account()
    except LocalError as error:
        return fail("account", "no unprivileged user for the database", mend=str(error))
    if os.geteuid() == 0 and chosen.name == PREFERRED[-1]:
        return warn(
            "account",
            f"the database will run as `{chosen.name}`, which other programs may use, too",
            mend="run `useradd --system flick` before the first start",
        )
    return ok("account", f"the database runs as `{chosen.name}`")


def port(number: int, *, host: str) -> Finding:
    """Judge whether the gateway can have its port."""
    if number == 0 or is_free(number, host=host):
        return ok("port", f"{number} is free" if number else "any")
    return warn(
        "port",
        f"{number} is in use (by FLick, if it runs)",
        mend="stop what listens there, or choose another with --port; otherwise any free one is taken",
    )


def open_files() -> Finding:
    """Judge how many files a process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= LEAST_OPEN_FILES:
        return ok("open files", f"{soft} for each process")
    return warn(
        "open files",
        f"{soft} for each process (at most {hard})",
        mend=f"run `ulimit -n {LEAST_OPEN_FILES}` before the start when more than a few hundred agents will connect",
    )


def nearest_existing(path: Path) -> Path:
    """Return the folder itself, or the nearest one above it that exists."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())

"""What lies in the folder of custom metrics, and whether it may be run: only what nobody else could have put there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agent.collectors.custom.scrape import ENDING as SCRAPE_ENDING

MAX_FILES = 50
TEXT_ENDING = ".prom"

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Listed(NamedTuple):
    """A file of the folder.

    Attributes:
        is_text: it is read and never run: metrics, or where they are to be had. That takes no rights from anybody.
        fault: why it can't be used, with the fix; empty when it can.
    """

    name: str
    path: str
    is_text: bool
    fault: str = ""


def list_folder(folder: Path, *, required: bool, user: int) -> tuple[Listed, ...]:
    """The files of the folder by name; hidden ones, README files and editors' copies are passed over.

    Args:
        folder: which one.
        required: whether it must be there.
        user: the agent's own user, which besides root may own what is run.

    Raises OSError when it can't be read, or is not there though it must be; ValueError when it holds too many files.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if not _is_passed_over(path.name))
    except FileNotFoundError:
        if required:
            raise
        return ()
    if len(names) > MAX_FILES:
        raise ValueError(f"{folder} holds {len(names)} files; {MAX_FILES} at most.")
    above = next(_intruders(folder.resolve(), user), "")
    return tuple(_look_at(folder / name, user, above) for name in names)


def _is_passed_over(name: str) -> bool:
    return name.startswith((".", "README")) or name.endswith("~")


def _look_at(path: Path, user: int, above: str) -> Listed:
    is_text = path.name.endswith((TEXT_ENDING, SCRAPE_ENDING))
    try:
        fault = "" if is_text else _find_fault(path, user, above)
    except OSError as error:
        fault = f"{type(error).__name__}: {error}"
    return Listed(path.name, os.fspath(path), is_text, fault)


def _find_fault(path: Path, user: int, above: str) -> str:
    target = path.resolve(strict=True)
    mode = target.stat().st_mode
    if not stat.S_ISREG(mode):
        return "is no file; put executables and .prom files here."
    if not mode & stat.S_IXUSR:
        return f"is not executable; chmod +x it, or call it {path.name}{TEXT_ENDING} if it holds metrics itself."
    return _writable_by_others(target, user) or above or next(_intruders(target.parent, user), "")


def _intruders(folder: Path, user: int) -> Iterator[str]:
    """Which folders on the way to something others could write to, and so put something else there."""
    for one in (folder, *folder.parents):
        status = one.stat()
        if status.st_mode & stat.S_ISVTX and one != folder:  # as /tmp: others may not replace what is not theirs
            continue
        if fault := _writable_by_others(one, user):
            yield fault


def _writable_by_others(path: Path, user: int) -> str:
    status = path.stat()
    if status.st_uid not in (0, user):
        return f"is not run: {path} belongs to user {status.st_uid}; chown it to root."
    if status.st_mode & _OTHERS_MAY_WRITE:
        return f"is not run: others may write to {path}; chmod go-w it."
    return ""

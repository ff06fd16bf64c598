"""Whose rights the database and Redis run with: an unprivileged account, also when FLick is started as root."""

import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalError, UnreachableFolderError

# The first that exists is taken: an account of our own, PostgreSQL's usual one, and the one that every Debian has.
PREFERRED = ("flick", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine: its name and numeric ids."""

    name: str
    uid: int
    gid: int

    @property
    def owner(self) -> tuple[int, int]:
        """User and group id, as files are given to them."""
        return self.uid, self.gid


def database_account() -> Account:
    """Return the account for the database and Redis: the caller's own, or an unprivileged one for root.

    Raises LocalError when root finds none of the preferred accounts.
    """
    uid = os.geteuid()
    if uid != 0:
        return Account(name=_name_of(uid), uid=uid, gid=os.getegid())
    for name in PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise LocalError(
        "PostgreSQL refuses to run as root and no unprivileged account exists: run `useradd --system flick`"
    )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError as missing:
        raise LocalError(
            f"user id {uid} has no entry in /etc/passwd, which PostgreSQL needs: run FLick as a named user"
        ) from missing


def require_reach(account: Account, folder: Path) -> None:
    """Check that the account may walk down to the folder.

    Raises UnreachableFolderError naming the first ancestor that shuts the account out.
    """
    barrier = first_barrier(account, [*reversed(folder.absolute().parents), folder.absolute()])
    if barrier is not None:
        raise UnreachableFolderError(
            f"the database runs as user `{account.name}`, who cannot enter {barrier} on the way to {folder}: "
            f"choose another folder (--data-dir), or run `chmod o+x {barrier}`"
        )


def first_barrier(account: Account, folders: Iterable[Path]) -> Path | None:
    """Return the first existing folder that the account may not enter, judged by mode bits, or None."""
    for folder in folders:
        if folder.exists() and not _may_enter(account, folder.stat()):
            return folder
    return None


def _may_enter(account: Account, status: os.stat_result) -> bool:
    if account.uid == 0:
        return True
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def make_private_folder(account: Account, folder: Path) -> None:
    """Create the folder when missing, and make it the account's own with mode 0700.

    Raises LocalError when another user made it first, as could happen in a folder that all may write to.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), account.uid):
        raise LocalError(f"{folder} is not a folder of user `{account.name}`: remove it and start again")
    if os.geteuid() == 0:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    folder.chmod(0o700)

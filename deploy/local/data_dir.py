"""One data directory: who holds it, what lies where in it, its secrets, and what is remembered between starts."""

import fcntl
import hashlib
import json
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from deploy.local.errors import AlreadyRunningError, LocalError
from flick.private_file import write_private

_LONGEST_SOCKET_PATH_BYTES = 100  # the kernel takes 107; PostgreSQL's lock file beside it has five more characters


class DataDir:
    """The folder that one launcher works in. Entering makes it and takes its lock; leaving gives the lock back.

    Args:
        path: the folder.
    """

    def __init__(self, *, path: Path) -> None:
        self.path = path.absolute()
        self._lock: TextIO | None = None

    def __enter__(self) -> Self:
        try:
            # 0711: the database's account must pass through when the launcher is root; nothing in it is open to others.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            _refuse_foreign(self.path)
            # 0600: whoever may open it, if only to read, can take the lock and keep FLick from starting.
            self._lock = os.fdopen(os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
        except OSError as error:
            raise LocalError(
                f"the data directory {self.path} cannot be used: {error.strerror}; choose another with --data-dir"
            ) from error
        self._take_lock(self._lock)
        for name in ("secrets", "tls", "keys", "agent", "logs"):
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def _take_lock(self, lock: TextIO) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise AlreadyRunningError(
                f"FLick already runs on {self.path} (process {holder}): stop it with `kill {holder}`, or start another "
                "instance with another --data-dir"
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()

    @property
    def postgres(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.path / "postgres"

    @property
    def redis(self) -> Path:
        """Redis' working folder."""
        return self.path / "redis"

    @property
    def tls(self) -> Path:
        """The certificate authority and the server's certificate."""
        return self.path / "tls"

    @property
    def signing_keys(self) -> Path:
        """Keys that auth signs tokens with."""
        return self.path / "keys"

    @property
    def service_secrets(self) -> Path:
        """The hashes of the services' secrets, for auth."""
        return self.path / "secrets" / "services.toml"

    @property
    def agent_identity(self) -> Path:
        """The identity of this machine's own agent."""
        return self.path / "agent" / "identity.json"

    @property
    def agent_custom(self) -> Path:
        """Custom metrics of this machine's own agent."""
        return self.path / "agent" / "custom"

    @property
    def logs(self) -> Path:
        """A log file for each part."""
        return self.path / "logs"

    def secret(self, name: str) -> str:
        """Return the random secret of that name, made on first use; URL-safe, 256 bits."""
        return _kept_secret(self.path / "secrets" / name)

    def write_service_secrets(self, services: tuple[str, ...]) -> None:
        """Write the file by which auth recognises the services: a line for each with the SHA-256 of its secret."""
        lines = [f'{name} = "{hashlib.sha256(self.secret(name).encode()).hexdigest()}"\n' for name in services]
        write_private(self.service_secrets, "".join(lines))

    def socket_directory(self, *, runtime_dir: Path) -> Path:
        """Return a folder for Unix sockets whose path is short enough, however long the data directory's is.

        Args:
            runtime_dir: where a short one may be made, such as /run or XDG_RUNTIME_DIR.
        """
        inside = self.path / "run"
        if len(os.fsencode(inside / ".s.PGSQL.65535")) < _LONGEST_SOCKET_PATH_BYTES:
            return inside
        return runtime_dir / f"flick-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}"

    def remembered(self) -> dict[str, Any]:
        """Return what `remember` kept, or nothing; a damaged file counts as nothing."""
        try:
            state = json.loads((self.path / "state.json").read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def remember(self, **values: object) -> None:
        """Keep values for the next start, beside those kept before."""
        write_private(self.path / "state.json", json.dumps({**self.remembered(), **values}, indent=1) + "\n")


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder in which another user could replace files by links to files of ours.

    Raises LocalError naming the command that mends it.
    """
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise LocalError(
            f"the data directory {folder} belongs to user id {found.st_uid}: choose another with --data-dir, or run "
            f"`chown {os.geteuid()} {folder}`"
        )
    if found.st_mode & stat.S_IWOTH:
        raise LocalError(f"everybody may write to the data directory {folder}: run `chmod o-w {folder}`")


def _kept_secret(path: Path) -> str:
    """Return the URL-safe secret in the file, made on first use."""
    if path.exists():
        return path.read_text().strip()
    secret = secrets.token_urlsafe(32)
    write_private(path, secret + "\n")
    return secret

"""Files that only their owner may read: written whole or not at all, never readable in between."""

import os
import secrets
from pathlib import Path

from deploy.local.machine.account import Account


def write_private(path: Path, content: str | bytes, *, account: Account | None = None) -> None:
    """Replace the file by `content` with mode 0600, durably; with an account and as root, the account becomes owner."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if account is not None and os.geteuid() == 0:
                os.fchown(file.fileno(), account.uid, account.gid)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:  # also when cancelled: a half-written secret must not stay behind
        beside.unlink(missing_ok=True)
        raise


def kept_secret(path: Path, *, bytes_of_randomness: int = 32) -> str:
    """Return the URL-safe secret in the file, made on first use."""
    if path.exists():
        return path.read_text().strip()
    secret = secrets.token_urlsafe(bytes_of_randomness)
    write_private(path, secret + "\n")
    return secret

"""Files that only their owner may read, for whoever keeps a secret: written whole or not at all."""

import os
import secrets
from pathlib import Path


def write_private(path: Path, content: str | bytes, *, owner: tuple[int, int] | None = None) -> None:
    """Replace the file at `path` by `content`, mode 0600; a reader sees the old or the new one, never a part.

    `owner` is the user and group id that the file is given to when this process is root. Raises OSError.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if owner is not None and os.geteuid() == 0:
                os.fchown(file.fileno(), *owner)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:  # also when interrupted: a half-written secret must not stay behind
        beside.unlink(missing_ok=True)
        raise

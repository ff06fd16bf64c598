"""The file that remembers who is signed in where: mode 0600, written whole, one entry per installation."""

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flick.cli.failure import CliError
from flick.private_file import write_private


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A session at one installation. Everything but the first two is secret or decides whom to trust."""

    url: str
    email: str
    refresh_token: str
    access_token: str = ""
    expire_time_s: float = 0.0
    """When the access token ends, seconds since the Unix epoch."""
    ca_pem: str = ""
    """The authority trusted for this installation; empty: the system's."""


class CredentialStore:
    """The file. Several commands may run at once: whoever renews a token holds `lock`."""

    def __init__(self, *, path: Path) -> None:
        self._path = path

    def current_url(self) -> str:
        """Where the user signed in last; empty when nowhere."""
        return str(self._read().get("current", ""))

    def get(self, url: str) -> Credential | None:
        """The session at an installation, or None."""
        entry = self._read().get("installations", {}).get(url)
        if not isinstance(entry, dict):
            return None
        try:
            return Credential(url=url, **entry)
        except TypeError as error:
            raise self._broken(str(error)) from error

    def put(self, credential: Credential, *, make_current: bool = False) -> None:
        """Remember a session. Only while `lock` is held."""
        document = self._read()
        entry = {key: value for key, value in dataclasses.asdict(credential).items() if key != "url"}
        document.setdefault("installations", {})[credential.url] = entry
        if make_current or not document.get("current"):
            document["current"] = credential.url
        self._write(document)

    def remove(self, url: str) -> None:
        """Forget a session. Only while `lock` is held."""
        document = self._read()
        document.get("installations", {}).pop(url, None)
        if document.get("current") == url:
            document["current"] = next(iter(document.get("installations", {})), "")
        self._write(document)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the file against other commands: two that renew one refresh token would end the session."""
        self._make_folder()
        descriptor = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CliError(
                f"{self._path.parent} can't be made: {error.strerror}. Set FLICK_CREDENTIALS_FILE."
            ) from error

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._broken(str(error)) from error
        if not isinstance(document, dict):
            raise self._broken("it holds no object")
        return document

    def _write(self, document: Mapping[str, Any]) -> None:
        write_private(self._path, json.dumps(document, indent=1))

    def _broken(self, why: str) -> CliError:
        return CliError(f"{self._path} can't be read ({why}). Remove it and sign in again.")

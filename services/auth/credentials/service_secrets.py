"""Who FLick's own services are: the hashes of their secrets, and whom each may call."""

import hashlib
import hmac
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from flick.config import ConfigError

AUDIENCES: Mapping[str, frozenset[str]] = {"ingest": frozenset({"auth"}), "query": frozenset({"auth"})}

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")
_NO_HASH = "0" * 64


class ServiceSecrets:
    """The hashes in hex by service."""

    def __init__(self, *, sha256_by_service: Mapping[str, str]) -> None:
        self._sha256_by_service = dict(sha256_by_service)

    def verify(self, *, service: str, secret: str) -> bool:
        """Whether this is the service's secret; takes as long for an unknown service."""
        expected = self._sha256_by_service.get(service, _NO_HASH)
        return hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), expected)


def may_call(*, service: str, audience: str) -> bool:
    """Whether a service has business with another."""
    return audience in AUDIENCES.get(service, frozenset())


def load_service_secrets(path: Path) -> ServiceSecrets:
    """Read the TOML file: `name = "SHA-256 in hex"`. Raises ConfigError when it can't be read or used."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"FLICK_AUTH_SERVICE_SECRETS_FILE: {path} can't be read: {error}") from error
    for service, digest in document.items():
        if service not in AUDIENCES:
            raise ConfigError(f"FLICK_AUTH_SERVICE_SECRETS_FILE: {service} is no service; {', '.join(AUDIENCES)} are.")
        if not isinstance(digest, str) or not _SHA256_HEX.fullmatch(digest):
            raise ConfigError(
                f"FLICK_AUTH_SERVICE_SECRETS_FILE: {service} must be its secret's SHA-256, 64 hex digits in quotes."
            )
    return ServiceSecrets(sha256_by_service=document)

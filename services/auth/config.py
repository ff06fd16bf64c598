"""What auth is told at its start."""

from dataclasses import dataclass
from pathlib import Path

from flick.config import setting


@dataclass(frozen=True, kw_only=True)
class AuthConfig:
    """Settings of the service.

    Attributes:
        database_url: PostgreSQL as role flick_auth.
        listen: where gRPC is served, as `host:port` or `unix:PATH`; port 0 takes any.
        metrics_listen: where /metrics is served, as `host:port`; None: nowhere.
        signing_keys_dir: folder of Ed25519 keys in PEM; the last by name signs. One is made when there is none.
        service_secrets_file: TOML file, a line per service with the SHA-256 of its secret in hex.
        public_ingest_address: where agents reach ingest, as `host:port`; empty: no server can join.
        public_url: where people and agents reach the gateway; empty: not known, and agents can't be told.
        trust_bundle_file: this installation's certificate authority in PEM; None: certificates are from public ones.
        log_level: the least severe log records that are written.
    """

    database_url: str = setting("FLICK_AUTH_DATABASE_URL")
    listen: str = setting("FLICK_AUTH_LISTEN", default="127.0.0.1:7101")
    metrics_listen: str | None = setting("FLICK_AUTH_METRICS_LISTEN", default=None)
    signing_keys_dir: Path = setting("FLICK_AUTH_SIGNING_KEYS_DIR")
    service_secrets_file: Path = setting("FLICK_AUTH_SERVICE_SECRETS_FILE")
    public_ingest_address: str = setting("FLICK_PUBLIC_INGEST_ADDRESS", default="")
    public_url: str = setting("FLICK_PUBLIC_URL", default="")
    trust_bundle_file: Path | None = setting("FLICK_TRUST_BUNDLE_FILE", default=None)
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")


@dataclass(frozen=True, kw_only=True)
class BootstrapConfig:
    """Settings of `bootstrap`.

    Attributes:
        database_url: PostgreSQL as role flick_auth.
        email: e-mail address of the first admin; not needed when there is one.
        password: password of the first admin; not needed when there is one.
        log_level: the least severe log records that are written.
    """

    database_url: str = setting("FLICK_AUTH_DATABASE_URL")
    email: str = setting("FLICK_BOOTSTRAP_EMAIL", default="")
    password: str = setting("FLICK_BOOTSTRAP_PASSWORD", default="")
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")
